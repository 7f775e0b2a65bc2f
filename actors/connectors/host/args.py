"""What a connector host is started with."""

from dataclasses import dataclass

from actors.messages import SessionPlan
from actors.settings import Settings


@dataclass(frozen=True, slots=True)
class HostArgs:
    """What a host is started with."""

    settings: Settings
    shard: int
    connector: str
    sessions: tuple[SessionPlan, ...]
    shards: int
    """Shards with the same connector: the divisor of the fleet's bound on connects per second."""
