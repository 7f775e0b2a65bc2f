"""Answers about the past of a session."""

from pydantic import Field

from daemon.api.fields import Time
from daemon.api.models import Quality, Response, Status


class Scores(Response):
    """Of a stretch of time; the mean is weighted by time."""

    min: int
    mean: float
    max: int


class HistoryPoint(Response):
    """A stretch of a session's life: of one step or, with `step=raw`, as it was observed."""

    at: Time
    """When it begins."""
    seconds: float
    """How long the session was watched in it; less than the step where there are gaps."""
    status: dict[Status, float]
    """Seconds in each status that it had."""
    quality: dict[Quality, float]
    """Seconds in each quality; none while it has no score."""
    score: Scores | None
    round_trip_ms: dict[str, float]
    """p50 and p95 of the heartbeats, within 4.5 %; empty without any."""
    heartbeats: int
    heartbeats_missed: int
    acknowledged: int
    """Messages that the server accepted."""
    refused: dict[str, int]
    """Messages that it refused, by error code."""
    receipts: int
    received: int
    undecryptable: int
    disconnects: dict[str, int]
    """Connections that ended by a failure, by cause."""
    last_cause: str | None
    """The last trouble of the time when it was not connected, or whose connection ended."""


class HistoryGap(Response):
    """Nothing is known of the session then: nobody watched it, or what was written is no longer kept."""

    from_: Time = Field(alias="from")
    to: Time


class History(Response):
    """The past of a session."""

    session_id: str
    from_: Time = Field(alias="from")
    """The begin of the first step."""
    to: Time
    """The end of the last step."""
    step: str
    """Such as `5m`, or `raw`."""
    complete_until: Time | None
    """What is later than that will be written soon; null before anything was."""
    points: list[HistoryPoint]
    """In order; steps of which nothing is known are left out."""
    gaps: list[HistoryGap]
    """Before `completeUntil`; in order."""
