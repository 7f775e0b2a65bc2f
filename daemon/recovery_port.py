"""What the HTTP API needs of recovery: the part of the backend's port that shows and steers it.

Errors are `daemon.backend.BackendError`; their reasons stand in double backquotes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from actors.recovery.explain import Explanation
from actors.recovery.pauses import Pause
from actors.store.episode_queries import EpisodeFilter, Sums
from actors.store.records import Action, Episode
from daemon.metrics.recovery import RecoveryMetrics


@dataclass(frozen=True, slots=True)
class RecoverySums:
    """What became of trouble within a time."""

    ended: Sequence[Sums]
    """Of the episodes that ended, by cause, strategy and outcome."""
    open: int
    """Episodes that go on."""
    open_loops: int
    """How often five attempts in a row of those did not help."""


Forced = Literal["reconnect", "restart", "failover"]


class Recovery(Protocol):
    """What operators see and steer of recovery."""

    @property
    def metrics(self) -> RecoveryMetrics:
        """What the events of recovery add up to since the start."""
        ...

    async def episodes(self, wanted: EpisodeFilter, limit: int, before: tuple[float, int] | None) -> Sequence[Episode]:
        """The latest that match, newest first; ``before`` (beginning and id of the last one seen) pages on."""
        ...

    async def episode(self, id: int) -> tuple[Episode, Sequence[Action]]:
        """One with what was done, oldest first.  ``unknown_episode``."""
        ...

    async def summary(self, since: float) -> RecoverySums:
        """Of the episodes that ended at that time or later."""
        ...

    def pauses(self) -> Sequence[Pause]:
        """Those in effect, oldest first."""
        ...

    def pauses_of(self, session: str) -> Sequence[Pause]:
        """Those that a session is under."""
        ...

    def paused(self) -> int:
        """How many sessions are under one; each scrape asks."""
        ...

    async def pause(
        self, who: str, session: str | None, labels: Mapping[str, str], until: float | None, reason: str
    ) -> Pause:
        """A new one: of a session, else of those with all of the labels, which are all sessions without any label.

        It is stored when this returns.  ``unknown_session``; ``invalid``: it would be over already; ``limit``.
        """
        ...

    async def resume(self, pause: int, who: str) -> None:
        """Ends one.  ``unknown_pause``."""
        ...

    async def explain(self, session: str, at: float | None) -> Explanation:
        """What recovery would do about a session now, or would have done at a time, and why.

        ``unknown_session``; ``invalid``: the time is to come.
        """
        ...

    async def force(self, session: str, who: str, strategy: Forced) -> str:
        """Has a strategy applied now, whatever recovery thinks; returns an operation id.

        ``unknown_session``; ``refused``: the session is stopped, blocked, halted or paused, or its connector process
        is being replaced; ``unavailable``, ``timeout``.
        """
        ...
