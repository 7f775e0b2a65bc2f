"""Handing over: one send goes to the connector, and every step of it is stored first.

It keeps the message id that it has: after a crash an unconfirmed one is sent again under the same id, so that the
recipient shows one message.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from actors.connectors.host.journal import STORE_PAUSE, Journal
from actors.connectors.host.readahead import ReadAhead
from actors.connectors.protocol import ErrorCode
from actors.runtime.rpc import Link, RemoteError
from actors.store import api_queries, shard_queries
from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.errors import StoreError
from actors.store.records import SendProgress

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 8
"""Times a message is handed over without an answer before the send has failed: it may itself end the connection."""
RETRY_PAUSE = 5.0
"""Seconds before an unanswered message is handed over again on the same connection."""
CLOSED_PAUSE = 0.5
"""Seconds until the end of a connection, which an answer told, is told as a change of phase as well."""


class Handover:
    """``link`` returns the link to a session's connector, or None while there is none; texts are read from ``api``.

    ``awaited`` is called in the transaction that stores what became of a send.
    """

    def __init__(
        self,
        journal: Journal,
        api: Database,
        ahead: ReadAhead,
        link: Callable[[str], Link | None],
        ack_timeout: float,
        awaited: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._api = api
        self._ahead = ahead
        self._link = link
        self._awaited = awaited
        self.use(ack_timeout)

    def use(self, ack_timeout: float) -> None:
        """How long the connector may take to tell of an acknowledgement, in seconds."""
        self._patience = ack_timeout + 5.0

    async def attempt(self, item: SendProgress) -> float | None:
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
        self._ahead.replace(item)
        if not await self._record(item):
            self._ahead.finish(item)  # meanwhile it was given up, or a receipt told that it had arrived
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

    async def _refused(self, item: SendProgress, error: RemoteError) -> float | None:
        if error.code == ErrorCode.NACK:
            number = error.data.get("error")
            await self._settle(item, "failed", f"nack_{number if isinstance(number, int) else 'unknown'}")
            return None
        if error.code in {ErrorCode.INVALID_RECIPIENT, ErrorCode.RESTRICTED, ErrorCode.BAD_REQUEST, ErrorCode.LIMIT}:
            await self._settle(item, "failed", error.code)
            return None
        if error.code in {ErrorCode.NOT_OPEN, ErrorCode.UNKNOWN_SESSION, ErrorCode.BUSY}:
            self._ahead.replace(replace(item, attempts=item.attempts - 1))  # this time it did not leave
        return CLOSED_PAUSE if error.code in {ErrorCode.NOT_OPEN, ErrorCode.CLOSED} else RETRY_PAUSE

    async def _settle(self, item: SendProgress, state: str, error: str | None) -> None:
        settled = replace(item, state=state, error=error, updated_at=time.time())

        async def store(conn: Statements) -> None:
            await shard_queries.record_send_state(conn, settled)
            self._awaited()

        await self._journal.insist(store, "a send's state")
        self._ahead.finish(item)

    async def _record(self, progress: SendProgress) -> bool:
        async def store(conn: Statements) -> bool:
            return await shard_queries.record_send_state(conn, progress)

        return await self._journal.insist(store, "a send's state")
