"""The backend of the API over the actors: writes go to api.db and to the gateway, reads come from the snapshot."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from actors.connectors.vaultlink import VaultLink
from actors.gateway.protocol import plan_to_wire
from actors.runtime.frames import Frame
from actors.settings import SOCKET_GATEWAY, SOCKET_VAULT, Settings
from actors.store import health_queries
from actors.store.direct import Operation
from actors.store.engine import Database, open_reader
from actors.store.errors import StoreError
from actors.store.records import OutboxEvent
from config.loader import Loaded
from daemon.accounts import LiveAccounts
from daemon.announcements import Announcements
from daemon.authstates import LiveAuthStates
from daemon.backend import BackendError, Pairing, Send, SessionLive, SessionRecord
from daemon.chain import Chain
from daemon.commands import Commands
from daemon.fleet import Fleet
from daemon.gateway_client import GatewayClient
from daemon.live_history import LiveHistory
from daemon.live_recovery import LiveRecovery
from daemon.metrics.shown import ShownMetrics
from daemon.purge import purge_auth, purging
from daemon.reads import Reads
from daemon.sends import SendDesk
from daemon.shards import Shards
from daemon.snapshot import Snapshot
from daemon.storage import refusal
from daemon.supervision import SupervisionView

log = logging.getLogger(__name__)

REFUSING = frozenset({"blocked", "halted", "stopped", "parked", "pairing"})
"""States in which a message is not even accepted: it would wait for an operator."""
PAIR = "Pair the device: `wavigil pair ID`."
CATCH_UP_PERIOD = 2.0
"""Seconds between looks for what nobody told of: a hint may be lost, or the gateway be down."""
PRUNE_PERIOD = 60.0
QR_PATIENCE = 4.0
"""Seconds for a QR before it is asked for again: whoever was asked may have died."""


class LiveBackend:
    """Implements ``daemon.backend.Backend``."""

    def __init__(self, settings: Settings, fleet: Fleet, database: Database, chain: Chain, began: float = 0.0) -> None:
        """``began``: when the actors started, in seconds since 1970."""
        self._settings = settings
        self._fleet = fleet
        self._snapshot = Snapshot(lambda session: session in fleet.records, began)
        self._reads = Reads(settings.database)
        loaded = self._snapshot.load
        self._shards = Shards(settings, database.watch, lambda read: loaded(*read), self._on_event, self._reads)
        self.shown = ShownMetrics()
        self._scores: Database | None = None
        self._looked_at = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.gateway = GatewayClient(settings.socket(SOCKET_GATEWAY), self._connected, self._pushed)
        self._commands = Commands(self.gateway, fleet.get)
        self._desk = SendDesk(database, self._read_shard, Announcements(self._announce, self._spawn).waits)
        self.accounts = LiveAccounts(settings, database, self._reads)
        self.history = LiveHistory(settings, fleet.get, self._reads)
        self.recovery = LiveRecovery(
            settings, fleet, database, self._publish, self._commands, self.live, self._shards, self._reads
        )
        self.supervision = SupervisionView(self.gateway, self.accounts, chain)
        self.auth = LiveAuthStates(settings.socket(SOCKET_VAULT), fleet.get, self.live, self._commands.patiently)

    async def open(self) -> None:
        """Rebuilds the snapshot and begins to keep the connection to the actors.  Raises StoreError."""
        await self._shards.open(self._fleet.shards)
        self._scores = await open_reader(self._settings.database("health"))
        await self.accounts.open()
        await self._load_health()
        self._spawn(self.gateway.run())
        self._spawn(self.supervision.watch())
        self._spawn(self._catch_up())
        self._spawn(self._prune())
        self._spawn(self._desk.run())
        for coroutine in (*self.accounts.tasks(), *self.recovery.tasks()):
            self._spawn(coroutine)

    async def close(self) -> None:
        """Lets go of the actors and the databases."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        scores = [self._scores.close()] if self._scores else []
        own = (self._reads, self._shards, self.accounts, self.recovery)
        await asyncio.gather(*(part.close() for part in own), *scores)

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task failed", exc_info=error)

    # what the actors say

    async def _load_health(self) -> None:
        assert self._scores is not None
        try:
            async with self._scores.begin() as conn:
                scores = await health_queries.load_scores(conn, self._looked_at)
        except StoreError as error:
            self._scores.watch.tell(log, "scores can't be read, trying again", error)
            return
        self._snapshot.health({id: score.data for id, score in scores.items()}, stored=True)
        self._looked_at = max((score.at for score in scores.values()), default=self._looked_at)

    async def _catch_up(self) -> None:
        while True:
            await asyncio.sleep(CATCH_UP_PERIOD)
            if self._fleet.shards - set(self._shards.ready):
                await self._publish()
            await self._shards.catch_up()
            await self._load_health()

    async def _prune(self) -> None:
        while True:
            await self._desk.prune(self._settings.sends_keep)
            await asyncio.sleep(PRUNE_PERIOD)

    def _on_event(self, event: OutboxEvent) -> None:
        self._snapshot.apply(event)
        self.shown.event(event, time.time())
        self._desk.on_event(event)

    async def _connected(self, gateway: GatewayClient) -> None:
        await gateway.request("plan", **plan_to_wire(self._fleet.plan(self._shards.ready)))
        self._spawn(self._shards.catch_up())

    def _pushed(self, frame: Frame) -> None:
        if frame["ev"] == "health":
            self._snapshot.health(frame["views"])
        elif frame["ev"] == "hint" and frame["source"].startswith("shard-"):
            self._spawn(self._shards.catch_up(int(frame["source"].removeprefix("shard-")), frame["upto"]))

    async def _read_shard(self, session: str, query: Operation[object]) -> object:
        self._fleet.get(session)  # it may have been removed meanwhile
        return await self._shards.read(self._fleet.shard_of(session), query)

    async def _announce(self, sessions: frozenset[str], upto: int) -> None:
        with contextlib.suppress(BackendError):  # hosts also look by themselves
            await self.gateway.request("sends", upto=upto, sessions=sorted(sessions))

    async def _publish(self) -> None:
        """The fleet changed: the actors are told, now or when they are back."""
        if await self._shards.open_late(self._fleet.shards):
            self._fleet.renew()
        with contextlib.suppress(BackendError):
            await self.gateway.request("plan", **plan_to_wire(self._fleet.plan(self._shards.ready)))

    async def reload(self, loaded: Loaded, settings: Settings) -> None:
        """Takes over another file for sessions and actors.  Raises BackendError: nothing changed."""
        before = set(self._fleet.records)
        await self._fleet.reload(loaded, settings, self._make_shards)
        self._settings = settings
        self.history.use(settings)
        for session in before - self._fleet.records.keys():
            self._snapshot.forget(session)
        await self._publish()

    async def _make_shards(self, shards: Collection[int]) -> None:
        try:
            await self._shards.open(shards)
        except StoreError as error:
            raise refusal(error, "a database could not be made") from error

    # the port

    def records(self) -> Mapping[str, SessionRecord]:
        """See Backend."""
        return self._fleet.records

    def live(self, session: str) -> SessionLive:
        """See Backend."""
        return self._snapshot.live(session)

    def ready(self) -> tuple[bool, str]:
        """See Backend."""
        return (True, "ready") if self.gateway.up else (False, "the actor system is starting")

    async def add(self, record: SessionRecord, who: str) -> None:
        """See Backend."""
        await self._fleet.add(record, who)
        await self._publish()

    async def change(
        self,
        session: str,
        who: str,
        *,
        labels: Mapping[str, str] | None = None,
        enabled: bool | None = None,
        proxy: str | None = None,
    ) -> SessionRecord:
        """See Backend."""
        before = self._fleet.get(session)
        await self._fleet.change(session, who, labels, enabled, proxy)
        await self._publish()
        if enabled is not None and enabled != before.enabled:
            await self._commands.switch(session, enabled)
        return self._fleet.get(session)

    async def remove(self, session: str, who: str, *, purge: bool) -> None:
        """See Backend."""
        self._fleet.get(session)
        link = VaultLink(self._settings.socket(SOCKET_VAULT))
        try:
            if purge:
                with purging("nothing was removed"):
                    await link.reserve(session)  # now, while the whole can still be refused
            await self._fleet.remove(session)
            self._snapshot.forget(session)
            await self._publish()
            if purge:
                with purging("removed, but its auth state was not deleted: add it again and repeat"):
                    await purge_auth(link, session)
        finally:
            await link.close()

    async def start(self, session: str, who: str, *, accept_stale: bool = False) -> None:
        """See Backend."""
        await self._enable(session, who, enabled=True, accept_stale=accept_stale)

    async def stop(self, session: str, who: str) -> None:
        """See Backend."""
        await self._enable(session, who, enabled=False)

    async def _enable(self, session: str, who: str, *, enabled: bool, accept_stale: bool = False) -> None:
        """The operator's wish is stored first: it holds over restarts."""
        await self._fleet.enable(session, who, enabled, accept_stale=accept_stale)
        await self._publish()
        await self._commands.switch(session, enabled)

    async def reconnect(self, session: str, who: str) -> str:
        """See Backend."""
        self._fleet.get(session)
        await self._commands.give(session, "reconnect")
        return uuid.uuid4().hex

    async def logout(self, session: str, who: str) -> None:
        """See Backend."""
        self._fleet.get(session)
        await self._commands.give(session, "logout", 30.0)

    async def pairing(self, session: str, who: str, wait: float) -> Pairing:
        """See Backend."""
        answer = await self._commands.patiently(session, "pairing", max(0.1, wait), QR_PATIENCE)
        return Pairing(answer.get("qr"), answer.get("expires_at"))

    async def pairing_code(self, session: str, who: str, phone: str) -> Pairing:
        """See Backend."""
        self._fleet.get(session)
        answer = await self._commands.patiently(session, "pairing_code", 30.0, 30.0, phone=phone)
        return Pairing(None, answer.get("expires_at"), answer["code"])

    async def send(self, session: str, who: str, id: str | None, to: str, text: str, wait: float) -> tuple[Send, bool]:
        """See Backend."""
        self._fleet.get(session)
        live = self.live(session)
        if live.state in REFUSING and (id is None or await self._desk.find(session, id) is None):
            unpaired = live.state == "pairing"
            told = f"session {session!r} is {'not paired' if unpaired else live.state}: nothing is sent"
            remedy = PAIR if unpaired else live.remedy
            raise BackendError("refused", told, cause=live.cause, remedy=remedy)
        return await self._desk.submit(session, id, to, text, wait)

    async def find_send(self, session: str, id: str) -> Send | None:
        """See Backend."""
        self._fleet.get(session)
        return await self._desk.find(session, id)

    async def tree(self) -> dict[str, Any]:
        """See Backend."""
        return await self.supervision.read(memory=True)
