"""Plans: the wanted fleet and the settings of its actors, from main down to each host."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actors.settings import Tuning
from config.secrets import Secret


@dataclass(frozen=True, slots=True)
class ProxyPlan:
    """The proxy that a session names."""

    name: str
    url: Secret | None = None
    """Where it is, with its password; None: the configuration does not say."""
    mark: str = ""
    """Tells it, with its address, from every other one: connectors and sessions compare it, nobody reads it."""
    connects_per_second: float | None = None
    """Bound on new connections through it; None: no other than that of the fleet."""


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """One session as the tree needs it."""

    id: str
    connector: str
    enabled: bool
    profile: Mapping[str, Any] | None = None
    """Options of this session for its connector."""
    paused_until: float | None = None
    """Recovery is paused until then, seconds since 1970 (infinity: until somebody ends it); None: it is not."""
    importance: int = 0
    """-100 to 100: the more important goes first when many want to connect."""
    proxy: ProxyPlan | None = None
    """All that the session does goes through it."""


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """Main -> gateway -> root -> fleet supervisor: the whole wanted fleet; each level applies the difference."""

    version: int
    shards: Mapping[int, tuple[SessionPlan, ...]]
    tuning: Tuning
    """Settings that hold from now on."""


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """Fleet supervisor -> shard supervisor: the sessions wanted in it."""

    version: int
    sessions: tuple[SessionPlan, ...]
    share: float
    """Of the fleet's bound on connects per second, 0-1: its part of the sessions with the same connector."""
    tuning: Tuning
    """Settings that hold from now on."""


@dataclass(frozen=True, slots=True)
class Retune:
    """Root -> services supervisor: settings that hold from now on."""

    tuning: Tuning
