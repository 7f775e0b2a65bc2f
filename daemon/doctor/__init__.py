"""Checks of the machine, the state directory and the running daemon; each finding says what to do."""
