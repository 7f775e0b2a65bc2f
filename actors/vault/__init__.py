"""The vault: the auth state of every session, fenced, encrypted, and durable before it is acknowledged."""
