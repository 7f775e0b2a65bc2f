"""What the API is asked about the past of a session."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from config.durations import DURATION_PATTERN, parse_duration
from daemon.api.fields import TIME_PATTERN, parse_time
from daemon.api.requests import Query

EPOCH_DIGITS = 12
_EPOCH_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,6})?$"
RAW = "raw"
LONGEST_STEP = 366 * 86_400
"""Seconds.  Times that nobody can write are many years off: no range of so long steps gets there."""


def parse_moment(value: object) -> float:
    """Seconds since 1970 of a moment in RFC 3339, or as such a number.

    Raises:
        ValueError: with a sentence for the caller.
    """
    if isinstance(value, str) and value.isascii():
        whole, _, part = value.partition(".")
        if whole.isdecimal() and len(whole) <= EPOCH_DIGITS and (part == "" or part.isdecimal()):
            return float(value)
    try:
        return parse_time(value)
    except ValueError:
        raise ValueError("a time is written like 2026-01-31T08:15:30Z, or as seconds since 1970") from None


def parse_step(value: object) -> int:
    """Seconds of a step; 0 for `raw`.

    Raises:
        ValueError: with a sentence for the caller.
    """
    if value == RAW:
        return 0
    try:
        seconds = parse_duration(value) if isinstance(value, str) else 0.0
    except ValueError:
        seconds = 0.0
    if seconds < 1 or seconds != int(seconds):
        raise ValueError("a step is raw, or a whole number of minutes, such as 1m, 15m, 1h or 1d")
    if seconds > LONGEST_STEP:
        raise ValueError("a step is 366d at most")
    return int(seconds)


def _schema(**keywords: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **keywords})


AnyMoment = Annotated[
    float,
    BeforeValidator(parse_moment),
    _schema(
        anyOf=[{"pattern": TIME_PATTERN}, {"pattern": _EPOCH_PATTERN}], examples=["2026-01-31T08:15:30Z", "1769847330"]
    ),
]
Step = Annotated[
    int, BeforeValidator(parse_step), _schema(pattern=f"^raw$|{DURATION_PATTERN}", examples=["raw", "1m", "1h"])
]


class HistoryQuery(Query):
    """Which part of the past, and how fine."""

    from_: AnyMoment | None = Field(default=None, alias="from")
    """From then on; else the last 24 hours before `to`."""
    to: AnyMoment | None = None
    """Until then; else until now."""
    step: Step | None = None
    """`raw`, for 4 hours at most, or whole minutes, such as `1m`, `15m`, `1h`, `1d`, for 1500 points at most; else the
    finest that gives up to 500 points and is kept for so long."""
