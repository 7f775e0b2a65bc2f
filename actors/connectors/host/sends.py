"""Sending: takes texts from the table of sends, hands them to the connector in order, stores every step first.

A send gets its WhatsApp message id before it is first handed over, and keeps it: after a crash an unconfirmed one is
sent again under the same id, so that the recipient shows one message.  What waits stands in the shard's database; in
memory is a page of it for each session that is open.
"""

import asyncio
import collections
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from actors.connectors.host.journal import Journal
from actors.connectors.protocol import ErrorCode
from actors.runtime.rpc import Link, RemoteError
from actors.store import api_queries, cursors, shard_queries
from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.errors import StoreError
from actors.store.records import SendProgress

log = logging.getLogger(__name__)

PAGE = 200
"""Sends taken over from the table, or given up, in one transaction."""
AHEAD = 50
"""Sends of one session that are read ahead."""
MAX_ATTEMPTS = 8
"""Times a message is handed over without an answer before the send has failed: it may itself end the connection."""
RETRY_PAUSE = 5.0
"""Seconds before an unanswered message is handed over again on the same connection."""
CLOSED_PAUSE = 0.5
"""Seconds until the end of a connection, which an answer told, is told as a change of phase as well."""
STORE_PAUSE = 1.0
"""Seconds before a refused write or read is tried again (a full disk)."""


def new_message_id() -> str:
    """An id as WhatsApp Web's own client makes them: 3EB0 and 18 hexadecimal digits."""
    return "3EB0" + secrets.token_hex(9).upper()


class Sends:
    """The sends of one shard.  ``link`` returns the link to a session's connector, or None while there is none.

    ``awaited`` is called in the transaction that stores what became of a send.
    """

    def __init__(
        self,
        shard: int,
        journal: Journal,
        api: Database,
        link: Callable[[str], Link | None],
        ack_timeout: float,
        spawn: Callable[[Any], Any],
        awaited: Callable[[], None] = lambda: None,
    ) -> None:
        self._shard = shard
        self._awaited = awaited
        self._journal = journal
        self._api = api
        self._link = link
        self.use(ack_timeout)
        self._spawn = spawn
        self._ahead: dict[str, collections.deque[SendProgress]] = {}
        self._unread: set[str] = set()
        """Sessions that may have more to send than is read ahead."""
        self._open: set[str] = set()
        self._busy: set[str] = set()
        self._held: dict[str, asyncio.Event] = {}
        """Sessions that are handed nothing now; set when nothing of theirs is under way any more."""
        self._refusing: dict[str, str] = {}
        """Sessions that will not send by themselves, and why: what they are given has failed."""
        self._position = 0
        self._taking = asyncio.Lock()

    def use(self, ack_timeout: float) -> None:
        """How long the connector may take to tell of an acknowledgement, in seconds."""
        self._patience = ack_timeout + 5.0

    async def restore(self, refusing: Mapping[str, str]) -> None:
        """Takes up what an earlier host left unfinished, then what is new."""
        self._position = await self._journal.read(lambda conn: cursors.get_cursor(conn, shard_queries.SENDS_CURSOR))
        for session in await self._journal.read(shard_queries.count_unfinished):
            self._offer(session)
        self.judge(refusing)
        await self.take()

    async def take(self) -> None:
        """Takes new sends over from the table; what can't be read now is read at the next call."""
        async with self._taking:
            try:
                while await self._take_page():
                    pass
            except StoreError as error:
                self._journal.watch.tell(log, "new sends can't be taken over yet", error)

    async def _take_page(self) -> bool:
        after, shard = self._position, self._shard
        new = await self._api.run(lambda conn: api_queries.new_sends(conn, after, shard, PAGE))
        if not new:
            return False
        now, upto = time.time(), new[-1].seq
        accepted = [SendProgress(s.session, s.id, new_message_id(), s.to_jid, "queued", now) for s in new]
        await self._durably(lambda conn: shard_queries.accept_sends(conn, accepted, upto))
        self._position = upto
        for session in {send.session for send in accepted}:
            if (cause := self._refusing.get(session)) is not None:
                self._give_up(session, cause)
            else:
                self._offer(session)
        return True

    def _offer(self, session: str) -> None:
        self._unread.add(session)
        self._pump(session)

    def phase(self, session: str, phase: str) -> None:
        """A connection opened or closed."""
        if phase == "open":
            self._open.add(session)
            self._pump(session)
        else:
            self._open.discard(session)

    @contextlib.asynccontextmanager
    async def held(self, session: str, patience: float) -> AsyncIterator[None]:
        """Hands over nothing of the session within the block, which begins when nothing of it is under way any more.

        After ``patience`` seconds it begins in any case.
        """
        quiet = self._held[session] = asyncio.Event()
        try:
            if session in self._busy:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(quiet.wait(), patience)
            yield
        finally:
            del self._held[session]
            self._pump(session)

    def refuse(self, session: str, cause: str) -> None:
        """The session will not send any more by itself: what waits, and what comes, has failed."""
        self._refusing[session] = cause
        self._give_up(session, cause)

    def _give_up(self, session: str, cause: str) -> None:
        """What waits has failed; what is handed over at this moment may still turn out to have arrived."""
        self._ahead.pop(session, None)
        self._spawn(self._fail(session, cause))

    def judge(self, refusing: Mapping[str, str]) -> None:
        """Exactly these sessions will not send by themselves."""
        for session in self._refusing.keys() - refusing.keys():
            self.allow(session)
        for session, cause in refusing.items():
            if self._refusing.get(session) != cause:
                self.refuse(session, cause)

    def allow(self, session: str) -> None:
        """The session may send again."""
        self._refusing.pop(session, None)

    def forget(self, sessions: Iterable[str]) -> None:
        """The sessions are no more.  Whether a connection is open is the connector's to say."""
        for session in sessions:
            self._ahead.pop(session, None)
            self._unread.discard(session)
            self._refusing.pop(session, None)

    async def _fail(self, session: str, cause: str) -> None:
        now = time.time()
        while await self._durably(lambda conn: shard_queries.fail_unfinished(conn, session, cause, now, PAGE)):
            pass

    def _pump(self, session: str) -> None:
        free = session in self._open and session not in self._held and session not in self._busy
        if free and self._has_work(session):
            self._busy.add(session)
            self._spawn(self._drain(session))

    def waits(self, session: str) -> bool:
        """Whether a session has something to send, as far as is known without reading."""
        return self._has_work(session)

    def _has_work(self, session: str) -> bool:
        return bool(self._ahead.get(session)) or session in self._unread

    async def _drain(self, session: str) -> None:
        """One message at a time: their order is the order of acceptance."""
        try:
            while session in self._open - self._held.keys() and (item := await self._next(session)) is not None:
                pause = await self._hand_over(item)
                if pause is not None:
                    await asyncio.sleep(pause)
        finally:
            self._busy.discard(session)
            if (quiet := self._held.get(session)) is not None:
                quiet.set()
        self._pump(session)

    async def _next(self, session: str) -> SendProgress | None:
        """The first that is not finished; it stays there until it is."""
        while not (queue := self._ahead.get(session)) and session in self._unread:
            self._unread.discard(session)
            try:
                page = await self._journal.read(lambda conn: shard_queries.unfinished_sends(conn, session, AHEAD))
            except StoreError as error:
                self._journal.watch.tell(log, "what waits can't be read", error)
                self._unread.add(session)
                await asyncio.sleep(STORE_PAUSE)
                continue
            if page:
                self._ahead[session] = collections.deque(page)
            if len(page) == AHEAD:
                self._unread.add(session)
        return queue[0] if queue else None

    def _finish(self, item: SendProgress) -> None:
        queue = self._ahead.get(item.session)
        if queue and queue[0].id == item.id:
            queue.popleft()
            if not queue:
                del self._ahead[item.session]

    async def _hand_over(self, item: SendProgress) -> float | None:
        """One attempt; returns the seconds to pause before the next, None when the send is finished."""
        link = self._link(item.session)
        if link is None:
            return RETRY_PAUSE
        try:
            stored = await self._api.run(lambda conn: api_queries.find_send(conn, item.session, item.id))
        except StoreError as error:
            self._journal.watch.tell(log, "a text to send can't be read", error)
            return STORE_PAUSE
        if stored is None:
            await self._settle(item, "failed", "expired")
            return None
        if item.attempts >= MAX_ATTEMPTS:
            await self._settle(item, "failed", "no_acknowledgement")
            return None
        # From here on it may be on the wire.
        item = replace(item, state="sent-unconfirmed", attempts=item.attempts + 1, updated_at=time.time())
        self._replace(item)
        if not await self._record(item):
            self._finish(item)  # meanwhile it was given up, or a receipt told that it had arrived
            return None
        try:
            await link.request(
                "send",
                self._patience,
                session=item.session,
                messageId=item.message_id,
                to=item.to_jid,
                text=stored.text,
            )
        except RemoteError as error:
            return await self._refused(item, error)
        except TimeoutError:
            return RETRY_PAUSE
        await self._settle(item, "acknowledged", None)
        return None

    def _replace(self, item: SendProgress) -> None:
        queue = self._ahead.get(item.session)
        if queue and queue[0].id == item.id:
            queue[0] = item

    async def _refused(self, item: SendProgress, error: RemoteError) -> float | None:
        if error.code == ErrorCode.NACK:
            await self._settle(item, "failed", f"nack_{error.data.get('error', 'unknown')}")
            return None
        if error.code in {ErrorCode.INVALID_RECIPIENT, ErrorCode.RESTRICTED, ErrorCode.BAD_REQUEST, ErrorCode.LIMIT}:
            await self._settle(item, "failed", error.code)
            return None
        if error.code in {ErrorCode.NOT_OPEN, ErrorCode.UNKNOWN_SESSION, ErrorCode.BUSY}:
            self._replace(replace(item, attempts=item.attempts - 1))  # this time it did not leave
        return CLOSED_PAUSE if error.code in {ErrorCode.NOT_OPEN, ErrorCode.CLOSED} else RETRY_PAUSE

    async def _settle(self, item: SendProgress, state: str, error: str | None) -> None:
        settled = replace(item, state=state, error=error, updated_at=time.time())

        async def store(conn: Statements) -> None:
            await shard_queries.record_send_state(conn, settled)
            self._awaited()

        await self._durably(store)
        self._finish(item)

    async def _record(self, progress: SendProgress) -> bool:
        return bool(await self._durably(lambda conn: shard_queries.record_send_state(conn, progress)))

    async def _durably(self, operation: Callable[[Statements], Any]) -> Any:
        """Repeats a write until it is stored: nothing goes on while the disk is full."""
        while True:
            try:
                return await self._journal.write(operation)
            except StoreError as error:
                self._journal.watch.tell(log, "a send's state could not be stored, trying again", error)
                await asyncio.sleep(STORE_PAUSE)
