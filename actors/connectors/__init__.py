"""Connectors: the processes that hold connections, the protocol spoken with them, and what Python ones share."""
