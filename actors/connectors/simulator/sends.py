"""The sends of one connection: each ends exactly once, as acknowledged, refused, timed out or closed."""

import asyncio
from typing import TYPE_CHECKING, Any

from actors.connectors.link_events import Ack, Sent
from actors.connectors.protocol import ErrorCode
from actors.connectors.simulator.credentials import ratchet
from actors.connectors.simulator.delivery import post
from actors.connectors.simulator.faults import Mode
from actors.connectors.simulator.shared import Shared
from actors.runtime.rpc import RemoteError

if TYPE_CHECKING:
    from actors.connectors.simulator.connection import Connection
    from actors.connectors.simulator.session import Session

MAX_PENDING = 256
"""Sends of one session that may wait for their answers at a time."""

_Answer = asyncio.Future[int | None]
"""The number of the server's refusal, None when it accepted."""


class Sends:
    """Sends texts: keys committed, message on the wire, answer of the server, in this order."""

    __slots__ = ("_connection", "_pending", "_session", "_shared")

    def __init__(self, session: "Session", connection: "Connection", shared: Shared) -> None:
        self._session = session
        self._connection = connection
        self._shared = shared
        self._pending: dict[str, _Answer] = {}

    async def send(self, message_id: str, peer: str, text: str) -> dict[str, Any]:
        """Sends one text and waits for the server's answer: when it came, and how long it took.

        Raises RemoteError ``nack``, ``ack_timeout``, ``closed``, and before anything is sent ``busy``, ``limit``.
        """
        if message_id in self._pending:
            raise RemoteError(ErrorCode.BUSY, "a message with this id is being sent")
        if len(self._pending) >= MAX_PENDING:
            raise RemoteError(ErrorCode.LIMIT, f"{MAX_PENDING} messages are being sent")
        loop = self._shared.loop
        started = loop.time()
        answer: _Answer = loop.create_future()
        self._pending[message_id] = answer
        self._connection.start(self._transmit(message_id, peer, text, answer))
        try:
            async with asyncio.timeout(self._shared.options.ack_timeout):
                error = await answer
        except TimeoutError:
            raise RemoteError(ErrorCode.ACK_TIMEOUT, "the server did not acknowledge the message") from None
        finally:
            del self._pending[message_id]
        ms = (loop.time() - started) * 1000
        self._connection.tell(Ack(**self._connection.stamp, message_id=message_id, error=error, ms=ms))
        self._shared.counts["acks" if error is None else "nacks"] += 1
        if error is not None:
            raise RemoteError(ErrorCode.NACK, f"the server refused the message: {error}", {"error": error})
        return {"at": self._shared.now_ms(), "ms": ms}

    def close(self) -> None:
        """The connection is over: what is not answered never will be here."""
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(RemoteError(ErrorCode.CLOSED, "the connection ended before the answer"))

    async def _transmit(self, message_id: str, peer: str, text: str, answer: _Answer) -> None:
        session, loop = self._session, self._shared.loop
        self._shared.counts["sends"] += 1
        await session.vault.commit(ratchet(peer, self._shared.counts["sends"]))
        sent = Sent(**self._connection.stamp, message_id=message_id)
        self._shared.tell_host(sent)
        self._connection.tell(sent)
        if session.suffers(Mode.HALF_OPEN) or session.suffers(Mode.OUTBOUND_STUCK):
            return
        nack = session.life.nack(loop.time())
        if nack is None:
            post(session, self._shared, message_id, peer, text)
        loop.call_later(session.answer_time(), self._answered, answer, nack)

    def _answered(self, answer: _Answer, nack: int | None) -> None:
        if not answer.done() and not self._session.suffers(Mode.HALF_OPEN):
            answer.set_result(nack)
