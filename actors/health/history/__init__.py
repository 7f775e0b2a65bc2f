"""The history of sessions: what was observed, and its roll-ups by the minute, the hour and the day."""
