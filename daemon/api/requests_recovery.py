"""What the API accepts about recovery."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from config.durations import DURATION_PATTERN, parse_duration
from daemon.api.fields import Labels, Moment, SessionId
from daemon.api.requests import Request

SHORTEST, LONGEST = 1.0, 366 * 86400.0
"""Seconds of a pause that is given as a duration."""


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
