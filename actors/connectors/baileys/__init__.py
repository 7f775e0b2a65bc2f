"""The Baileys connector: how its process is started.  The process itself, in `bridge/`, runs on Node.js."""
