"""Every message between actors: frozen, documented records, in a module for each conversation.

An actor message is acknowledged by the transport before it is handled, so each of them may be lost by a crash:
whoever needs an effect repeats the message, or reads the database that the message only hints at.
"""
