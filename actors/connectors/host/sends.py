"""Sending: takes texts from the table of sends, hands them to the connector in order, stores every step first.

A send gets its WhatsApp message id before it is first handed over, and keeps it: after a crash an unconfirmed one is
sent again under the same id, so that the recipient shows one message.
"""

import asyncio
import collections
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from actors.connectors.host.journal import Journal
from actors.connectors.protocol import ErrorCode
from actors.runtime.rpc import Link, RemoteError
from actors.store import api_queries, cursors, shard_queries
from actors.store.engine import Database
from actors.store.errors import StoreError
from actors.store.records import SendProgress

log = logging.getLogger(__name__)

PAGE = 200
"""Sends taken over from the table in one transaction."""
MAX_ATTEMPTS = 5
"""Times a message is handed to the server without an answer before the send has failed."""
RETRY_PAUSE = 5.0
"""Seconds before an unanswered message is handed over again on the same connection."""
STORE_PAUSE = 1.0
"""Seconds before a refused write is tried again (a full disk)."""
CURSOR = "api.sends"


def new_message_id() -> str:
    """An id as WhatsApp Web's own client makes them: 3EB0 and 18 hexadecimal digits."""
    return "3EB0" + secrets.token_hex(9).upper()


@dataclass(slots=True)
class _Queued:
    progress: SendProgress
    text: str


class Sends:
    """The sends of one shard.  ``link`` returns the link to the connector, or None while there is none."""

    def __init__(
        self,
        journal: Journal,
        api: Database,
        link: Callable[[], Link | None],
        ack_timeout: float,
        spawn: Callable[[Any], Any],
    ) -> None:
        self._journal = journal
        self._api = api
        self._link = link
        self._patience = ack_timeout + 5.0
        self._spawn = spawn
        self._sessions: tuple[str, ...] = ()
        self._queues: dict[str, collections.deque[_Queued]] = collections.defaultdict(collections.deque)
        self._open: set[str] = set()
        self._busy: set[str] = set()
        self._position = 0
        self._taking = asyncio.Lock()

    async def restore(self, sessions: Iterable[str]) -> None:
        """Takes up what an earlier host left unfinished, then what is new."""
        self._sessions = tuple(sessions)
        self._position = await self._journal.read(lambda conn: cursors.get_cursor(conn, CURSOR))
        unfinished = await self._journal.read(lambda conn: shard_queries.unfinished_sends(conn, 100_000))
        async with self._api.begin() as conn:
            for progress in unfinished:
                stored = await api_queries.find_send(conn, progress.session, progress.id)
                if stored is not None:
                    self._queues[progress.session].append(_Queued(progress, stored.text))
        await self.take()

    def sessions_changed(self, sessions: Iterable[str]) -> None:
        """The shard has other sessions now."""
        self._sessions = tuple(sessions)

    async def take(self) -> None:
        """Takes new sends over from the table."""
        async with self._taking:
            while True:
                position, sessions = self._position, self._sessions
                async with self._api.begin() as conn:
                    new = await api_queries.new_sends(conn, position, sessions, PAGE)
                if not new:
                    return
                now = time.time()
                fresh = [
                    _Queued(
                        SendProgress(send.session, send.id, new_message_id(), send.to_jid, "queued", now),
                        send.text,
                    )
                    for send in new
                ]
                upto = new[-1].seq

                async def store(conn: AsyncConnection, fresh: list[_Queued] = fresh, upto: int = upto) -> None:
                    for item in fresh:
                        await shard_queries.record_send_state(conn, item.progress)
                    await cursors.set_cursor(conn, CURSOR, upto)

                await self._durably(store)
                self._position = upto
                for item in fresh:
                    self._queues[item.progress.session].append(item)
                    self._pump(item.progress.session)

    def phase(self, session: str, phase: str) -> None:
        """A connection opened or closed."""
        if phase == "open":
            self._open.add(session)
            self._pump(session)
        else:
            self._open.discard(session)

    def fail_all(self, session: str, cause: str) -> None:
        """The session will not send any more by itself: what waits has failed."""
        waiting = self._queues.pop(session, None)
        if waiting:
            self._spawn(self._fail(list(waiting), cause))

    async def _fail(self, items: list[_Queued], cause: str) -> None:
        for item in items:
            await self._record(item, "failed", cause)

    async def receipt(self, session: str, message_id: str, kind: str) -> str | None:
        """Notes a receipt for one of our sends; returns its id, None if the message is not ours."""
        known = await self._journal.read(lambda conn: shard_queries.find_by_message(conn, session, message_id))
        if known is None:
            return None
        state = {"delivered": "delivered", "read": "read", "played": "read"}.get(kind)
        if state is not None:
            progress = replace(known, state=state, error=None, updated_at=time.time())
            await self._durably(lambda conn: shard_queries.record_send_state(conn, progress))
        return known.id

    def _pump(self, session: str) -> None:
        if session in self._open and session not in self._busy and self._queues.get(session):
            self._busy.add(session)
            self._spawn(self._drain(session))

    async def _drain(self, session: str) -> None:
        """One message at a time: their order is the order of acceptance."""
        try:
            while session in self._open and (queue := self._queues.get(session)):
                item = queue[0]
                finished, again = await self._hand_over(item)
                if finished and queue and queue[0] is item:
                    queue.popleft()
                if again is not None:
                    await asyncio.sleep(again)
        finally:
            self._busy.discard(session)
        self._pump(session)

    async def _hand_over(self, item: _Queued) -> tuple[bool, float | None]:
        """One attempt: (is the send finished?, seconds to pause before the next)."""
        link = self._link()
        if link is None:
            return False, RETRY_PAUSE
        progress = item.progress
        item.progress = replace(progress, attempts=progress.attempts + 1)
        await self._record(item, "sent-unconfirmed", None)  # from here on it may be on the wire
        try:
            await link.request(
                "send",
                self._patience,
                session=progress.session,
                messageId=progress.message_id,
                to=progress.to_jid,
                text=item.text,
            )
        except RemoteError as error:
            return await self._refused(item, error)
        except TimeoutError:
            return await self._unanswered(item)
        await self._record(item, "acknowledged", None)
        return True, None

    async def _refused(self, item: _Queued, error: RemoteError) -> tuple[bool, float | None]:
        if error.code == ErrorCode.NACK:
            await self._record(item, "failed", f"nack_{error.data.get('error', 'unknown')}")
            return True, None
        if error.code in {ErrorCode.INVALID_RECIPIENT, ErrorCode.BAD_REQUEST, ErrorCode.LIMIT}:
            await self._record(item, "failed", error.code)
            return True, None
        if error.code in {ErrorCode.NOT_OPEN, ErrorCode.CLOSED, ErrorCode.UNKNOWN_SESSION}:
            if error.code != ErrorCode.CLOSED:
                item.progress = replace(item.progress, attempts=item.progress.attempts - 1)  # it never left
            self._open.discard(item.progress.session)  # until the connector says that it is open again
            return False, None
        return await self._unanswered(item)

    async def _unanswered(self, item: _Queued) -> tuple[bool, float | None]:
        if item.progress.attempts >= MAX_ATTEMPTS:
            await self._record(item, "failed", "no_acknowledgement")
            return True, None
        return False, RETRY_PAUSE

    async def _record(self, item: _Queued, state: str, error: str | None) -> None:
        item.progress = replace(item.progress, state=state, error=error, updated_at=time.time())
        progress = item.progress
        await self._durably(lambda conn: shard_queries.record_send_state(conn, progress))

    async def _durably(self, operation: Callable[[AsyncConnection], Any]) -> None:
        """Repeats a write until it is stored: nothing goes on while the disk is full."""
        while True:
            try:
                await self._journal.write(operation)
            except StoreError as error:
                log.error("a send's state could not be stored: %s", error)
                await asyncio.sleep(STORE_PAUSE)
            else:
                return
