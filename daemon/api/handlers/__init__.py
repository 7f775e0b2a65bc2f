"""The handlers, a file a subject: each takes a checked call, asks the backend and returns a reply."""
