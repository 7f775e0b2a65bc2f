"""The part of the configuration on what proves that sessions hear: test messages, and the hours of their rhythm."""

import zoneinfo
from typing import Annotated, ClassVar

from pydantic import Field

from config import rules
from config.durations import Span
from config.ids import SESSION_ID_PATTERN, check_session_id
from config.section import Rule, Section, Sequence, Text

Participant = Annotated[str, Text(check_session_id, "a session id such as support-1", pattern=SESSION_ID_PATTERN)]


def check_time_zone(name: str) -> None:
    """Accept the name of a time zone that this machine knows, or say why not.

    Raises:
        ValueError: with a sentence for the operator.
    """
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError) as error:
        raise ValueError("this machine knows no time zone of that name; UTC is always known") from error


TimeZone = Annotated[str, Text(check_time_zone, "a time zone such as UTC or Europe/Berlin")]


class Canary(Section):
    """Messages between two sessions of this daemon, which show whether a session that hears nothing is deaf."""

    enabled: bool = False
    """Whether they are sent. Without them no session is ever called deaf."""

    interval: Annotated[float, Span("10s", "1d")] = 3600.0
    """Within this time it is noticed that a session is deaf to which nothing else comes; one to which at least a
    message a minute is usual, within ten minutes."""

    timeout: Annotated[float, Span("500ms", "5m")] = 20.0
    """From the server's acknowledgement to the arrival; later it has missed."""

    daily_budget: Annotated[int, Field(ge=1, le=1000)] = 48
    """Canaries that a session sends within 24 hours at the most."""

    sessions: Sequence[Participant] = ()
    """Who takes part, by id; empty: all."""

    text: Annotated[str, Field(min_length=1, max_length=200)] = "wavigil canary"
    """What stands in the message, followed by the time; both accounts see it in their chats."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (Rule(("interval", "timeout"), rules.canaries_in_time),)
