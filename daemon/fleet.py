"""The wanted fleet: every change of its sessions, stored with what follows from it.

Whose they are is decided in `wanted`, where they live in `places`, what is refused in `refusals`.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Container, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from actors.messages.plans import FleetPlan
from actors.recovery.pauses import Pause, ends
from actors.settings import Settings
from actors.store import api_queries, pause_queries
from actors.store.engine import Database
from actors.store.errors import StoreError
from actors.store.records import Desired, StoredSession
from config.loader import Loaded
from daemon import wanted
from daemon.audit.deeds import DAEMON
from daemon.backend import BackendError, SessionRecord
from daemon.fleetplan import fleet_plan
from daemon.places import Places
from daemon.proxies import proxies_of, refuse_lost, refuse_unknown
from daemon.refusals import refuse_file_owned, refuse_held, refuse_unusable
from daemon.storage import refusal

SAID = "file.enabled"
"""Name of what is remembered of the file in api.db: ``enabled`` by session, as JSON."""
NAMED = "file.proxy"
"""The same of ``proxy``, of those sessions that are the API's too."""

Write = Callable[[AsyncConnection], Awaitable[None]]
"""What a change writes, within its transaction."""
Ready = Callable[[Collection[int]], Awaitable[None]]
"""Gets shards ready for their sessions; raises BackendError."""


class Fleet:
    """Every change is in api.db before it takes effect."""

    def __init__(self, loaded: Loaded, settings: Settings, database: Database) -> None:
        self._loaded = loaded
        self._settings = settings
        self._database = database
        self._stored: dict[str, StoredSession] = {}
        self._desired: dict[str, Desired] = {}
        self._places = Places()
        self._records: dict[str, SessionRecord] = {}
        self._said: dict[str, bool] = {}
        self._named: dict[str, str | None] = {}
        self.pauses: tuple[Pause, ...] = ()
        """Those of recovery that somebody made and nobody ended; some may be over."""
        self.last_pause = 0
        """The highest id of a pause ever."""
        self._paused: Mapping[str, float] = {}
        """Session -> until when its recovery is paused."""
        self._version = 0
        self._turn = asyncio.Lock()
        """Of changes: each sees the one before it whole."""

    async def load(self) -> None:
        """Reads what is stored and settles where each session lives."""
        async with self._database.begin() as conn:
            self._stored = {session.id: session for session in await api_queries.load_sessions(conn)}
            self._desired = await api_queries.load_desired(conn)
            self._places = Places(await api_queries.load_placement(conn))
            self._said = json.loads(await api_queries.get_meta(conn, SAID) or "{}")
            self._named = json.loads(await api_queries.get_meta(conn, NAMED) or "{}")
            self.pauses = tuple(await pause_queries.load_pauses(conn, time.time()))
            self.last_pause = await pause_queries.last_pause(conn)
        async with self._turn:
            await self._take_over(self._loaded, self._settings)

    @property
    def records(self) -> Mapping[str, SessionRecord]:
        """All sessions by id: those of the file in its order, then those of the API by age."""
        return self._records

    @property
    def shards(self) -> set[int]:
        """The shards that hold a session."""
        return self._places.shards(self._records)

    def shard_of(self, session: str) -> int:
        """Where a session lives."""
        return self._places.shard_of(session)

    def paused(self, now: float) -> int:
        """How many sessions are under a pause."""
        return sum(until > now for until in self._paused.values())

    def plan(self, ready: Container[int]) -> FleetPlan:
        """The fleet as the actors need it; shards without a database yet, which are not ``ready``, come later."""
        placed = [(record, self.shard_of(id)) for id, record in self._records.items()]
        return fleet_plan(
            self._version,
            self._loaded,
            self._settings,
            [(record, shard) for record, shard in placed if shard in ready],
            self._paused,
        )

    def renew(self) -> None:
        """The next plan is another one, though nothing was changed here."""
        self._version += 1

    def ownership(self, loaded: Loaded) -> wanted.Ownership:
        """What changes hands between file and API with that file."""
        return wanted.ownership(self._said, (spec.id for spec in loaded.config.sessions), self._stored)

    async def reload(self, loaded: Loaded, settings: Settings, ready: Ready) -> None:
        """Takes over another file: all of it is stored in one transaction, or nothing changes.

        ``ready`` is called with the shards that are wanted, before anything is stored.  Raises BackendError.
        """
        async with self._turn:
            await self._take_over(loaded, settings, ready)

    async def _take_over(self, loaded: Loaded, settings: Settings, ready: Ready | None = None) -> None:
        specs, now = loaded.config.sessions, time.time()
        void = wanted.overruled(self._said, specs, self._desired)
        wishes = {id: wish for id, wish in self._desired.items() if id not in void}
        hands = self.ownership(loaded)
        for id in hands.given_back:
            wishes.setdefault(id, Desired(id, self._said[id], now, "the file"))  # it stays as it was
        said = wanted.says(self._said, specs, wishes, self._stored)
        back, named = wanted.returned(hands, self._stored, self._named), wanted.named(specs, self._stored)

        async def write(conn: AsyncConnection) -> None:
            await api_queries.forget_desired(conn, void)
            for id in wishes.keys() - self._desired.keys():
                await api_queries.set_desired(conn, wishes[id])
            if said != self._said:
                await api_queries.set_meta(conn, SAID, json.dumps(said))
            for id, session in back.items():
                await api_queries.set_proxy(conn, id, session.proxy)
            if named != self._named:
                await api_queries.set_meta(conn, NAMED, json.dumps(named))

        await self._settle(write, {**self._stored, **back}, wishes, file=(loaded, settings), ready=ready)
        self._said, self._named = said, named

    async def _settle(
        self,
        write: Write | None = None,
        stored: Mapping[str, StoredSession] | None = None,
        desired: Mapping[str, Desired] | None = None,
        gone: str | None = None,
        file: tuple[Loaded, Settings] | None = None,
        ready: Ready | None = None,
        pauses: tuple[Pause, ...] | None = None,
    ) -> None:
        """Stores a change with the places that it leads to, then takes it over: all of it or nothing."""
        stored = self._stored if stored is None else stored
        desired = self._desired if desired is None else desired
        loaded, settings = file or (self._loaded, self._settings)
        records = wanted.records(loaded, stored, desired)
        if ready is not None:  # a reload; what was lost while the daemon was down halts its sessions
            refuse_lost(proxies_of(loaded), records.values())
        pauses = self.pauses if pauses is None else pauses
        paused = ends(pauses, {id: record.labels for id, record in records.items()}, time.time())
        connectors = {id: record.connector for id, record in records.items()}
        places, moved = self._places.settle(connectors, lambda name: _capacity(settings, name), gone)
        if ready is not None:
            await ready(places.shards(records))
        async with self._writing() as conn:
            if write is not None:
                await write(conn)
            await api_queries.store_placement(conn, moved)
        self.pauses, self._paused = pauses, paused
        self.last_pause = max([self.last_pause, *(pause.id for pause in pauses)])
        self._loaded, self._settings = loaded, settings
        self._stored, self._desired, self._records = dict(stored), dict(desired), records
        self._places = places
        self._version += 1

    async def settle_pauses(self, decide: Callable[[], tuple[Write, tuple[Pause, ...]]]) -> None:
        """Stores a change of the pauses with what it means for the sessions.  ``decide`` sees the changes before it."""
        async with self._turn:
            write, pauses = decide()
            await self._settle(write, pauses=pauses)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._database.begin() as conn:
                yield conn
        except StoreError as error:
            raise refusal(error, "the change could not be stored") from error

    def get(self, session: str) -> SessionRecord:
        """A session's record.  Raises BackendError ``unknown_session``."""
        record = self._records.get(session)
        if record is None:
            raise BackendError("unknown_session", f"there is no session {session!r}")
        return record

    async def add(self, record: SessionRecord, who: str) -> None:
        """A new session of the API's."""
        async with self._turn:
            await self._add(record, who)

    async def _add(self, record: SessionRecord, who: str) -> None:
        refuse_unusable(record, self._records.get(record.id), self._settings)
        now = time.time()
        refuse_unknown(proxies_of(self._loaded), record.proxy)
        made = StoredSession(record.id, record.connector, dict(record.labels), now, record.proxy)
        wish = Desired(record.id, record.enabled, now, who)

        async def write(conn: AsyncConnection) -> None:
            await api_queries.add_session(conn, made)
            await api_queries.set_desired(conn, wish)

        await self._settle(write, {**self._stored, made.id: made}, {**self._desired, made.id: wish})

    async def change(
        self,
        session: str,
        who: str,
        labels: Mapping[str, str] | None,
        enabled: bool | None,
        proxy: str | None = None,
    ) -> None:
        """Labels, wish and proxy of a session of the API's; what is None stays, an empty ``proxy`` is none."""
        async with self._turn:
            await self._change(session, who, labels, enabled, proxy)

    async def _change(
        self, session: str, who: str, labels: Mapping[str, str] | None, enabled: bool | None, proxy: str | None
    ) -> None:
        refuse_file_owned(self.get(session))
        refuse_unknown(proxies_of(self._loaded), proxy or None)
        stored, desired = dict(self._stored), dict(self._desired)
        if labels is not None:
            stored[session] = replace(stored[session], labels=dict(labels))
        if proxy is not None:
            stored[session] = replace(stored[session], proxy=proxy or None)
        if enabled is not None:
            refuse_held(session, self._desired.get(session), enabled)
            desired[session] = Desired(session, enabled, time.time(), who)

        async def write(conn: AsyncConnection) -> None:
            if labels is not None:
                await api_queries.set_labels(conn, session, labels)
            if proxy is not None:
                await api_queries.set_proxy(conn, session, proxy or None)
            if enabled is not None:
                await api_queries.set_desired(conn, desired[session])

        await self._settle(write, stored, desired)

    async def enable(self, session: str, who: str, enabled: bool, *, accept_stale: bool = False) -> None:
        """Whether a session should run; an operator may stop and start those of the file, too."""
        async with self._turn:
            await self._enable(session, who, enabled, accept_stale=accept_stale)

    async def _enable(self, session: str, who: str, enabled: bool, *, accept_stale: bool) -> None:
        self.get(session)
        if not accept_stale:
            refuse_held(session, self._desired.get(session), enabled)
            if wanted.is_held(self._desired.get(session)):
                return
        wish = Desired(session, enabled, time.time(), who)
        await self._settle(lambda conn: api_queries.set_desired(conn, wish), desired={**self._desired, session: wish})

    async def remove(self, session: str) -> None:
        """Forgets a session of the API's."""
        async with self._turn:
            await self._remove(session)

    async def _remove(self, session: str) -> None:
        refuse_file_owned(self.get(session))

        async def write(conn: AsyncConnection) -> None:
            await api_queries.remove_session(conn, session)
            for pause in own:
                await pause_queries.end_pause(conn, pause.id, DAEMON, time.time())

        own = [pause for pause in self.pauses if pause.session == session]
        pauses = tuple(pause for pause in self.pauses if pause not in own)
        stored = {id: made for id, made in self._stored.items() if id != session}
        desired = {id: wish for id, wish in self._desired.items() if id != session}
        await self._settle(write, stored, desired, gone=session, pauses=pauses)


def _capacity(settings: Settings, connector: str) -> int:
    return settings.connectors.of(connector).sessions_per_host
