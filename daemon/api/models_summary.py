"""The answer about the health of the fleet."""

from typing import Literal

from daemon.api.models import Quality, Response, Status


class Lowest(Response):
    """One of the sessions with the lowest scores."""

    session_id: str
    health_score: int
    connection_quality: Quality | None
    status: Status


class Unproven(Response):
    """Open sessions of which there was no proof of life for a minute."""

    total: int
    session_ids: list[str]
    """The first ten, the longest without proof first."""


class HealthSummary(Response):
    """The fleet at a glance."""

    total: int
    by_status: dict[Status, int]
    by_quality: dict[Literal["excellent", "good", "poor", "critical", "unknown"], int]
    mean_score: float | None
    lowest: list[Lowest]
    """The five lowest scores, the lowest first."""
    by_liveness: dict[Literal["alive", "quiet", "deaf", "half_open", "outbound_stuck"], int]
    """Of the open sessions that were judged."""
    mean_confidence: float | None
    """0 to 1: how much of the scores is backed by fresh evidence."""
    disconnects_last_hour: dict[str, int]
    """Connections that ended by a failure, by cause, the most frequent first."""
    without_fresh_evidence: Unproven
    problems: list[str]
    """What is wrong with the daemon itself: databases that can't be written."""
