"""What a connector host is started with."""

from dataclasses import dataclass

from actors.messages.plans import SessionPlan
from actors.settings import Settings


@dataclass(frozen=True, slots=True)
class HostArgs:
    """What a host is started with."""

    settings: Settings
    shard: int
    connector: str
    sessions: tuple[SessionPlan, ...]
    share: float
    """Of the fleet's bound on connects per second, 0-1: its part of the sessions with the same connector."""
