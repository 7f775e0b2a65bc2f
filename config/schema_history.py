"""The part of the configuration on the history of sessions."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from config import rules
from config.durations import Span
from config.section import Rule, Section

Keep = Annotated[float, Span("1h", "3650d")]


class History(Section):
    """How long the history of sessions is kept; a session's takes about 1 MB with these defaults."""

    raw: Keep = 86_400.0
    """What was observed, about each 10 s."""

    minutes: Keep = 7 * 86_400.0
    """Roll-ups by the minute."""

    hours: Annotated[float, Span("1d", "3650d")] = 90 * 86_400.0
    """Roll-ups by the hour."""

    days: Annotated[float, Span("1d", "3650d")] = 400 * 86_400.0
    """Roll-ups by the day, in UTC."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (Rule(("raw", "minutes", "hours", "days"), rules.longer_when_coarser),)

    @property
    def by_level(self) -> Mapping[str, float]:
        """Seconds by the level's name: raw, minute, hour, day."""
        return {"raw": self.raw, "minute": self.minutes, "hour": self.hours, "day": self.days}
