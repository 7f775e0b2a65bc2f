"""Accepting messages to send: stored before they are accepted, followed until the server acknowledges them."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import cast

from actors.events import EventType
from actors.store import api_queries, cursors, shard_queries
from actors.store.direct import Operation, Statements
from actors.store.engine import Database
from actors.store.errors import StoreError
from actors.store.group import GroupCommit
from actors.store.records import OutboxEvent, SendProgress, StoredSend
from actors.store.send_states import FAILED, QUEUED, SETTLED
from daemon.backend import BackendError, Send, SendState
from daemon.storage import refusal

log = logging.getLogger(__name__)

ReadShard = Callable[[str, Operation[object]], Awaitable[object]]
"""Runs a query on the database of a session's shard."""


def jid_of(to: str) -> str:
    """The JID of a recipient given as a phone number (with or without ``+``) or as a JID."""
    return to if "@" in to else f"{to.lstrip('+')}@s.whatsapp.net"


class _Waiter:
    """Who waits for a send.  Of one that was accepted a moment ago the events tell all, and nothing has to be read."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.send: Send | None = None
        """How far it is; None for who has to read that."""
        self._taken = False

    def follows(self, stored: StoredSend) -> None:
        """It was stored a moment ago."""
        self.send = _queued(stored)

    def hear(self, event: OutboxEvent) -> None:
        """Its state changed."""
        data = event.data
        # what comes before the shard took it over is of an earlier send with that id, which was forgotten
        self._taken = self._taken or (data["previous"] is None and data["state"] == QUEUED)
        if self.send is not None and self._taken:
            state = cast("SendState", data["state"])
            self.send = replace(
                self.send, state=state, updated_at=event.at, message_id=data["messageId"], error=data["error"]
            )
        self.changed.set()


def _queued(stored: StoredSend) -> Send:
    return Send(stored.session, stored.id, stored.to_jid, QUEUED, stored.created_at, stored.created_at)


class SendDesk:
    """The table of sends, and who waits for which."""

    def __init__(self, database: Database, read_shard: ReadShard, announce: Callable[[str, int], None]) -> None:
        self._database = database
        self._table = GroupCommit(database)
        self._read_shard = read_shard
        self._announce = announce
        self._waiters: defaultdict[tuple[str, str], set[_Waiter]] = defaultdict(set)

    async def run(self) -> None:
        """Stores what is submitted, for ever."""
        await self._table.run()

    def on_event(self, event: OutboxEvent) -> None:
        """A send's state changed in a shard."""
        if event.type == EventType.SESSION_SEND and event.session is not None:
            for waiter in self._waiters.get((event.session, event.data.get("id", "")), ()):
                waiter.hear(event)

    async def prune(self, keep: float) -> None:
        """Forgets sends that were accepted more than ``keep`` seconds ago."""
        try:
            await api_queries.prune_sends(self._database, time.time() - keep)
        except StoreError as error:
            self._database.watch.tell(log, "old messages can't be forgotten yet", error)

    async def submit(self, session: str, id: str | None, to: str, text: str, wait: float) -> tuple[Send, bool]:
        """Stores a send, waits for the acknowledgement.  Raises BackendError ``conflict``, ``unavailable``."""
        id = id or uuid.uuid4().hex
        jid, now = jid_of(to), time.time()
        with self._waiting(session, id) as waiter:  # before it is stored: nothing that follows is missed
            try:
                stored, added = await self._table.write(
                    lambda conn: api_queries.add_send(conn, session, id, jid, text, now)
                )
            except StoreError as error:
                raise refusal(error, "the message was not accepted") from None
            if not added and (stored.to_jid, stored.text) != (jid, text):
                raise BackendError("conflict", f"id {id!r} was used in this session for another message")
            self._announce(session, stored.seq)
            if added:
                waiter.follows(stored)
            return await self._follow(stored, waiter, wait), added

    @contextlib.contextmanager
    def _waiting(self, session: str, id: str) -> Iterator["_Waiter"]:
        key, waiter = (session, id), _Waiter()
        self._waiters[key].add(waiter)
        try:
            yield waiter
        finally:
            self._waiters[key].discard(waiter)
            if not self._waiters[key]:
                del self._waiters[key]

    async def _follow(self, stored: StoredSend, waiter: "_Waiter", wait: float) -> Send:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        while True:
            waiter.changed.clear()
            send = waiter.send or await self._state(stored)
            left = deadline - loop.time()
            if send.state in SETTLED or left <= 0:
                return send
            try:
                async with asyncio.timeout(left):
                    await waiter.changed.wait()
            except TimeoutError:
                return await self._known(stored, waiter)

    async def _known(self, stored: StoredSend, waiter: "_Waiter") -> Send:
        """How far it is, or was when something was last heard of it: it is accepted, whoever can't be asked now."""
        try:
            return await self._state(stored)
        except BackendError as error:
            if waiter.send is None or error.reason not in {"unavailable", "storage_full"}:
                raise
            return waiter.send  # who was told of an error would send it once more

    async def find(self, session: str, id: str) -> Send | None:
        """A send by the caller's id."""
        try:
            stored = await self._database.run(lambda conn: api_queries.find_send(conn, session, id))
        except StoreError as error:
            raise refusal(error, "the message can't be looked up") from None
        return None if stored is None else await self._state(stored)

    async def _state(self, stored: StoredSend) -> Send:
        async def query(conn: Statements) -> tuple[int, SendProgress | None]:
            position = await cursors.get_cursor(conn, shard_queries.SENDS_CURSOR)
            return position, await shard_queries.find_send_state(conn, stored.session, stored.id)

        gone = Send(
            stored.session,
            stored.id,
            stored.to_jid,
            FAILED,
            stored.created_at,
            stored.created_at,
            error="not_known_any_more",
        )
        if stored.elsewhere:
            return gone
        position, progress = cast("tuple[int, SendProgress | None]", await self._read_shard(stored.session, query))
        if stored.seq > position:
            # not taken over yet: a row with that id is of an earlier send, which was forgotten here
            return _queued(stored)
        if progress is None:
            return gone
        return Send(
            stored.session,
            stored.id,
            stored.to_jid,
            cast("SendState", progress.state),
            stored.created_at,
            progress.updated_at,
            progress.message_id,
            progress.error,
        )
