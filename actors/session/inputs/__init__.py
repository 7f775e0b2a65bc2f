"""What a session's state machine is told, by who tells it.  Times are seconds since 1970, durations say their unit."""
