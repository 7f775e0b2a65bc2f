"""The way between the main process and the actors: one Unix socket, requests with ids, pushed events."""
