"""What the API accepts about recovery."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from config.durations import DURATION_PATTERN, parse_duration
from daemon.api.fields import WINDOW_PATTERN, Labels, Moment, SessionId, parse_window
from daemon.api.requests import Query, Request
from daemon.recovery_port import Forced

SHORTEST, LONGEST = 1.0, 366 * 86400.0
"""Seconds of a pause that is given as a duration."""


Outcome = Literal["healed", "halted", "operator", "removed", "unpaired"]
LONGEST_SUMMARY = 90 * 86400.0
"""Seconds."""
CURSOR_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,9})?-[0-9]{1,18}$"

LongWindow = Annotated[
    float,
    BeforeValidator(lambda value: parse_window(value, LONGEST_SUMMARY)),
    WithJsonSchema({"type": "string", "pattern": WINDOW_PATTERN, "examples": ["7d"]}),
]


def parse_length(value: object) -> float:
    """Seconds of a pause, 1 s to 366 days.

    Raises:
        ValueError: with a sentence for the caller.
    """
    try:
        seconds = parse_duration(value) if isinstance(value, str) else 0.0
    except ValueError:
        seconds = 0.0
    if SHORTEST <= seconds <= LONGEST:
        return seconds
    raise ValueError("a pause lasts from 1s to 366d, written like 90m, 2h or 1d")


Length = Annotated[
    float,
    BeforeValidator(parse_length),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["2h"]}),
]


class EpisodesQuery(Query):
    """Which episodes; filters are joined by *and*."""

    session: SessionId | None = None
    """Only episodes of this session."""
    cause: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")] | None = None
    """Only episodes that began with this cause."""
    outcome: Outcome | None = None
    """Only episodes that ended so."""
    open: bool | None = None
    """true: only those that go on; false: only those that have ended."""
    since: Moment | None = Field(default=None, alias="from")
    """Only episodes that began at this time or later."""
    until: Moment | None = Field(default=None, alias="to")
    """Only episodes that began before this time."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """Episodes on a page."""
    cursor: Annotated[str, Field(pattern=CURSOR_PATTERN)] | None = None
    """`nextCursor` of the page before."""


class RecoverySummaryQuery(Query):
    """Which episodes to sum up."""

    window: Annotated[LongWindow, Field(json_schema_extra={"default": "24h"})] = 86400.0
    """How far back, 1h to 90d: the episodes that ended within that time."""


class ExplainQuery(Query):
    """As of when."""

    at: Moment | None = None
    """A time in the past, as far back as events are kept (`events.keep`); now, if it is left out."""


class ForceCreate(Request):
    """What to do about a session now."""

    strategy: Forced
    """`reconnect`: close the connection, if there is one, and open a new one, also after a verdict; `restart`: the same
    with a fresh actor; `failover`: a fresh connector process, to which all its sessions move, this one first."""


class PauseCreate(Request):
    """Whose recovery to pause: exactly one of `sessionId`, `labels` and `all`; and until when, if that is known."""

    session_id: SessionId | None = None
    """This session."""
    labels: Labels | None = None
    """All sessions with all of these labels, those that get them later included."""
    all: Literal[True] | None = None
    """All sessions, those to come included."""
    until: Moment | None = None
    """When it ends by itself; not together with `for`."""
    length: Length | None = Field(default=None, alias="for")
    """How long it lasts, 1s to 366d.  Without `until` and `for` it lasts until it is ended."""
    reason: Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    """For those who see the sessions waiting."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if [self.session_id is None, not self.labels, self.all is None].count(False) != 1:
            raise ValueError("exactly one of sessionId, labels (at least one) and all says whose recovery is paused")
        if self.until is not None and self.length is not None:
            raise ValueError("until and for exclude each other")
        return self
