"""What operators see and steer of recovery, over api.db and the actors."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from actors.recovery.explain import Explanation, explain
from actors.recovery.pauses import Pause, ends
from actors.recovery.recorded import recorded
from actors.recovery.tuning import budgets, policy
from actors.settings import Settings, shard_name
from actors.store import episode_queries, pause_queries, recovery_queries
from actors.store.direct import Operation, Statements
from actors.store.engine import Database
from actors.store.episode_queries import EpisodeFilter
from actors.store.errors import StoreError
from actors.store.records import Action, Episode
from actors.store.tail import Tail
from daemon import pauses
from daemon.backend import BackendError, SessionLive
from daemon.commands import Commands
from daemon.fleet import Fleet
from daemon.metrics.recovery import RecoveryMetrics
from daemon.pauses import Pauses
from daemon.reads import Reads
from daemon.recovery_port import Forced, RecoverySums
from daemon.shards import Shards
from daemon.storage import refusal

log = logging.getLogger(__name__)
T = TypeVar("T")

RESTING = frozenset({"stopped", "blocked", "halted", "pairing"})
"""States that a session keeps whatever process it lives in."""
FOLLOW_PERIOD = 2.0
"""Seconds between readings of what recovery has told."""
PATIENCE = 15.0
"""Seconds for an order to be taken."""
FORGET_PERIOD = 3600.0
"""Seconds between two times that old pauses are forgotten."""


class LiveRecovery:
    """Implements ``daemon.backend.Recovery``."""

    def __init__(
        self,
        settings: Settings,
        fleet: Fleet,
        database: Database,
        publish: Callable[[], Awaitable[None]],
        commands: Commands,
        live: Callable[[str], SessionLive],
        shards: Shards,
        reads: Reads,
    ) -> None:
        """``publish`` tells the actors of the fleet as it is now."""
        self._shards = shards
        self._reads = reads
        self._commands = commands
        self._live = live
        self._settings = settings
        self._fleet = fleet
        self._database = database
        self._pauses = Pauses(fleet, publish)
        self.metrics = RecoveryMetrics()
        path = settings.database("recovery")
        self._tail = Tail(path, recovery_queries.open_episodes, self.metrics.load, self.metrics.event)

    async def close(self) -> None:
        """Closes the ledger."""
        await self._tail.close()

    async def _read(self, query: Operation[T]) -> T:
        try:
            return await self._reads.begin().run("recovery", query)
        except StoreError as error:
            raise refusal(error, "the ledger of recovery can't be read") from None

    async def episodes(self, wanted: EpisodeFilter, limit: int, before: tuple[float, int] | None) -> Sequence[Episode]:
        """See Recovery."""
        return await self._read(lambda conn: episode_queries.list_episodes(conn, wanted, limit, before))

    async def episode(self, id: int) -> tuple[Episode, Sequence[Action]]:
        """See Recovery."""

        async def read(conn: Statements) -> tuple[Episode | None, Sequence[Action]]:
            return await episode_queries.find_episode(conn, id), await recovery_queries.actions_in(conn, id)

        found, actions = await self._read(read)
        if found is None:
            raise BackendError("unknown_episode", "no episode has the id in the path")
        return found, actions

    async def summary(self, since: float) -> RecoverySums:
        """See Recovery."""

        async def read(conn: Statements) -> RecoverySums:
            return RecoverySums(await episode_queries.sums_since(conn, since), *await episode_queries.count_open(conn))

        return await self._read(read)

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run as long as the daemon does."""
        return [self._forget(), self._follow()]

    async def _follow(self) -> None:
        while True:
            await self._tail.catch_up()
            await asyncio.sleep(FOLLOW_PERIOD)

    async def _forget(self) -> None:
        while True:
            try:
                await pauses.forget(self._database, time.time() - self._settings.events_keep)
            except StoreError as error:
                self._database.watch.tell(log, "old pauses can't be forgotten yet", error)
            await asyncio.sleep(FORGET_PERIOD)

    def pauses(self) -> Sequence[Pause]:
        """See Recovery."""
        return self._pauses.active()

    def pauses_of(self, session: str) -> Sequence[Pause]:
        """See Recovery."""
        return self._pauses.covering(self._fleet.get(session))

    def paused(self) -> int:
        """See Recovery."""
        return self._fleet.paused(time.time())

    async def pause(
        self, who: str, session: str | None, labels: Mapping[str, str], until: float | None, reason: str
    ) -> Pause:
        """See Recovery."""
        return await self._pauses.add(who, session, labels, until, reason)

    async def resume(self, pause: int, who: str) -> None:
        """See Recovery."""
        await self._pauses.end(pause, who)

    async def force(self, session: str, who: str, strategy: Forced) -> str:
        """See Recovery."""
        if pauses := self.pauses_of(session):
            raise BackendError(
                "refused",
                f"recovery of session {session!r} is paused",
                remedy=f"End it (wavigil recovery resume {pauses[-1].id}); one connection is made all the same by "
                f"wavigil sessions reconnect {session}.",
            )
        live = self._live(session)
        if strategy == "reconnect" and live.state != "open":
            await self._commands.give(session, "reconnect")
        elif live.state in RESTING:
            told = f"session {session!r} is {live.state}: another process would not change that"
            raise BackendError("refused", told, cause=live.cause, remedy=live.remedy or "Start it.")
        else:
            # a host that has not heard yet of a pause's end says that it is away
            await self._commands.patiently(session, "force", PATIENCE, PATIENCE, strategy=strategy, who=who)
        return uuid.uuid4().hex

    async def explain(self, session: str, at: float | None) -> Explanation:
        """See Recovery."""
        self._fleet.get(session)
        now = time.time()
        if at is not None and at > now:
            raise BackendError("invalid", "that time is to come")
        when = now if at is None else at
        standing = {shard_name(shard): shard for shard in self._shards.ready}
        section = self._settings.recovery
        reading = self._reads.begin()

        async def followed(name: str, query: Operation[Any]) -> Any:
            """Quick on the connection that is open; what may search has one of its own."""
            if name not in standing:
                return await reading.run(name, query)
            return await self._shards.read(standing[name], query, reading)

        try:
            found = await recorded(followed, list(standing), session, when, live=at is None, search=reading.run)
            known = await reading.run("api", lambda conn: pause_queries.load_pauses(conn, when))
        except StoreError as error:
            raise refusal(error, "what was recorded can't be read") from None
        lasted = [replace(pause, ended_at=None) for pause in known if pause.lasted(when)]
        paused = ends(lasted, {id: record.labels for id, record in self._fleet.records.items()}, when)
        return explain(found, budgets(section), policy=policy(section), paused=paused)
