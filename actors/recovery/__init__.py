"""What to do about a connection that closed: back-off, plans and episodes (pure), and the actor."""
