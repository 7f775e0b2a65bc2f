"""The wanted fleet: sessions of the file and of the API, the operator's wishes, and their places in shards."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from actors.messages import FleetPlan, SessionPlan
from actors.settings import Settings
from actors.store import api_queries
from actors.store.engine import Database
from actors.store.errors import StoreError
from actors.store.placement import place
from actors.store.records import AuditEntry, Desired, StoredSession
from config.loader import Loaded
from config.profiles import simulator_profile
from daemon.backend import BackendError, SessionRecord

CONNECTORS = ("baileys", "simulator")


class Fleet:
    """Every change is in api.db, with its audit entry, before it takes effect."""

    def __init__(self, loaded: Loaded, settings: Settings, database: Database) -> None:
        self._loaded = loaded
        self._settings = settings
        self._database = database
        self._stored: dict[str, StoredSession] = {}
        self._desired: dict[str, Desired] = {}
        self._places: dict[str, tuple[str, int]] = {}
        self._records: dict[str, SessionRecord] = {}
        self._version = 0
        self._left: dict[str, tuple[str, int]] = {}
        """Places of removed sessions: while the actors run, a shard's number is not given to another connector."""
        self._turn = asyncio.Lock()
        """Of changes: each sees the one before it whole."""

    async def load(self) -> None:
        """Reads what is stored and settles where each session lives."""
        async with self._database.begin() as conn:
            self._stored = {session.id: session for session in await api_queries.load_sessions(conn)}
            self._desired = await api_queries.load_desired(conn)
            self._places = await api_queries.load_placement(conn)
        await self._settle()

    @property
    def records(self) -> Mapping[str, SessionRecord]:
        """All sessions by id: those of the file in its order, then those of the API by age."""
        return self._records

    @property
    def shards(self) -> set[int]:
        """The shards that hold a session."""
        return {self._places[session][1] for session in self._records}

    def shard_of(self, session: str) -> int:
        """Where a session lives."""
        return self._places[session][1]

    def plan(self) -> FleetPlan:
        """The fleet as the actors need it."""
        shards: dict[int, list[SessionPlan]] = {}
        profiles = {spec.id: spec.simulator for spec in self._loaded.config.sessions}
        for id, record in self._records.items():
            profile: dict[str, Any] | None = None
            if record.connector == "simulator":
                profile = simulator_profile(self._settings.connectors.simulator, id, profiles.get(id))
            shards.setdefault(self.shard_of(id), []).append(SessionPlan(id, record.connector, record.enabled, profile))
        return FleetPlan(self._version, {shard: tuple(plans) for shard, plans in sorted(shards.items())})

    async def _settle(self) -> None:
        records: dict[str, SessionRecord] = {}
        for spec in self._loaded.config.sessions:
            enabled = self._desired[spec.id].enabled if spec.id in self._desired else spec.enabled
            source = self._loaded.session_origin(spec.id)
            records[spec.id] = SessionRecord(spec.id, spec.connector, dict(spec.labels), enabled, "file", source)
        for id, stored in self._stored.items():
            if id not in records:
                enabled = self._desired[id].enabled if id in self._desired else True
                records[id] = SessionRecord(id, stored.connector, dict(stored.labels), enabled, "api")
        places = dict(self._places)
        for connector in sorted({record.connector for record in records.values()}):
            kin = [(id, connector) for id, record in records.items() if record.connector == connector]
            for id, shard in place({**self._left, **places}, kin, self._capacity(connector)).items():
                places[id] = (connector, shard)
        moved = {id: places[id] for id in records if self._places.get(id) != places[id]}
        async with self._writing() as conn:
            await api_queries.store_placement(conn, moved)
        self._places |= moved
        for id in moved:
            self._left.pop(id, None)
        self._records = records
        self._version += 1

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._database.begin() as conn:
                yield conn
        except StoreError as error:
            raise BackendError("unavailable", f"the change could not be stored: {error.reason}") from error

    def _capacity(self, connector: str) -> int:
        connectors = self._settings.connectors
        section = connectors.baileys if connector == "baileys" else connectors.simulator
        return section.sessions_per_host

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
        if (known := self._records.get(record.id)) is not None:
            raise BackendError("conflict", f"session {record.id!r} exists already, by {known.source or 'the API'}")
        if record.connector not in CONNECTORS:
            raise BackendError("invalid", f"the connector is one of {', '.join(CONNECTORS)}")
        if record.connector == "baileys" and self._settings.node is None:
            raise BackendError("invalid", "no Node.js of version 20 or later was found, which Baileys needs")
        now = time.time()
        async with self._writing() as conn:
            stored = StoredSession(record.id, record.connector, dict(record.labels), now)
            await api_queries.add_session(conn, stored)
            wish = Desired(record.id, record.enabled, now, who)
            await api_queries.set_desired(conn, wish)
            await api_queries.add_audit(
                conn, AuditEntry(now, who, "session.add", record.id, {"connector": record.connector})
            )
        self._stored[record.id], self._desired[record.id] = stored, wish
        await self._settle()

    async def change(self, session: str, who: str, labels: Mapping[str, str] | None, enabled: bool | None) -> None:
        """Labels and wish of a session of the API's."""
        async with self._turn:
            await self._change(session, who, labels, enabled)

    async def _change(self, session: str, who: str, labels: Mapping[str, str] | None, enabled: bool | None) -> None:
        self._refuse_file_owned(session)
        now = time.time()
        stored = self._stored[session]
        async with self._writing() as conn:
            if labels is not None:
                await api_queries.set_labels(conn, session, labels)
                stored = StoredSession(session, stored.connector, dict(labels), stored.created_at)
            await api_queries.add_audit(
                conn,
                AuditEntry(
                    now,
                    who,
                    "session.change",
                    session,
                    {"labels": dict(labels) if labels else None, "enabled": enabled},
                ),
            )
        self._stored[session] = stored
        if enabled is not None:
            await self._enable(session, who, enabled)
        else:
            await self._settle()

    async def enable(self, session: str, who: str, enabled: bool) -> None:
        """Whether a session should run; an operator may stop and start those of the file, too."""
        async with self._turn:
            await self._enable(session, who, enabled)

    async def _enable(self, session: str, who: str, enabled: bool) -> None:
        self.get(session)
        now = time.time()
        wish = Desired(session, enabled, now, who)
        async with self._writing() as conn:
            await api_queries.set_desired(conn, wish)
            action = "session.start" if enabled else "session.stop"
            await api_queries.add_audit(conn, AuditEntry(now, who, action, session))
        self._desired[session] = wish
        await self._settle()

    async def remove(self, session: str, who: str, purge: bool) -> None:
        """Forgets a session of the API's."""
        async with self._turn:
            await self._remove(session, who, purge)

    async def _remove(self, session: str, who: str, purge: bool) -> None:
        self._refuse_file_owned(session)
        async with self._writing() as conn:
            await api_queries.remove_session(conn, session)
            await api_queries.add_audit(conn, AuditEntry(time.time(), who, "session.remove", session, {"purge": purge}))
        del self._stored[session]
        self._desired.pop(session, None)
        self._left[session] = self._places.pop(session)
        await self._settle()

    async def note(self, who: str, action: str, session: str, **detail: Any) -> None:
        """An audit entry for what changes nothing in the database."""
        async with self._writing() as conn:
            await api_queries.add_audit(conn, AuditEntry(time.time(), who, action, session, detail))

    def _refuse_file_owned(self, session: str) -> None:
        record = self.get(session)
        if record.origin == "file":
            raise BackendError(
                "file_owned",
                f"session {session!r} belongs to {record.source}: change it there and restart the daemon",
                source=record.source,
            )
