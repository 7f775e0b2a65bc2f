"""The process: command line, life cycle, HTTP API, metrics, and the client of the actor system's gateway."""
