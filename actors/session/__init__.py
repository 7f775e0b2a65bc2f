"""One WhatsApp session: its causes, its state machine (pure), its sample, and its actor."""
