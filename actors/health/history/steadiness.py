"""Whether the clock can be relied on for what can't be undone.  Pure."""

JUMP_S = 3600.0
"""Seconds by which a clock differs from the time that has passed, that are more than a correction."""
TRUSTED_AFTER_S = 86_400.0
"""Seconds after which a clock that was set is taken to be right."""


class Steadiness:
    """Compares a clock with the time since the machine was started, which nobody sets."""

    def __init__(self, now: float, uptime: float) -> None:
        self._offset = now - uptime
        self._jumped: tuple[float, float] | None = None
        """The offset since the clock was set, and the uptime then."""

    def steady(self, now: float, uptime: float) -> bool:
        """Whether the clock was not set by more than an hour within the last day; both are in seconds."""
        offset = now - uptime
        if abs(offset - self._offset) <= JUMP_S:
            self._jumped = None
            return True
        if self._jumped is None or abs(offset - self._jumped[0]) > JUMP_S:
            self._jumped = (offset, uptime)
        if uptime - self._jumped[1] < TRUSTED_AFTER_S:
            return False
        self._offset, self._jumped = offset, None
        return True
