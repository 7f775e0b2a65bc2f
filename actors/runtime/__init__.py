"""How actors run: asyncio inside an actor, hardened transport, process life cycle, heartbeats."""
