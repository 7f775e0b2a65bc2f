"""The simulator: a connector whose WhatsApp is a seeded world inside the process (`docs/connector-simulator.md`)."""
