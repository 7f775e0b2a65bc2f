"""What the connector tells the host: durable facts go to the outbox in their order, phases to the sends at once."""

import asyncio
import collections
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from actors.connectors.host.canaries import Canaries
from actors.connectors.host.confirm import Confirmer
from actors.connectors.host.heritage import Heritage, Share
from actors.connectors.host.hints import Hints
from actors.connectors.host.journal import Journal
from actors.connectors.host.resends import Resends
from actors.connectors.host.sends import Sends
from actors.connectors.link_events import InboundMessage, Kept, LinkEvent, PhaseChanged, Receipt, Wanted
from actors.events import EventType
from actors.store import inbound, outbox, shard_queries
from actors.store.direct import Operation, Statements
from actors.store.errors import StoreError
from actors.store.records import NewEvent
from actors.store.send_states import by_receipt

log = logging.getLogger(__name__)

BATCH = 200
"""Events in one transaction at the most."""
KEPT = 10_000
"""Events without a number that wait in memory while the disk takes none; beyond it the oldest are lost, and the log
says so.  Of numbered ones no more than the protocol's window can wait, and none is lost."""
STORE_PAUSE = 1.0
"""Seconds before a refused write is tried again."""
OLDEST = 86400.0
"""Seconds that an event may have been on its way; the disk may have been full."""


class News:
    """Handles the events of the host's link, in the order in which they came."""

    def __init__(
        self,
        journal: Journal,
        sends: Sends,
        hints: Hints,
        resends: Resends,
        canaries: Canaries,
        heritage: Heritage,
    ) -> None:
        self._journal = journal
        self._heritage = heritage
        self._sends = sends
        self._resends = resends
        self._canaries = canaries
        self._hints = hints
        self._waiting: collections.deque[tuple[Kept, Confirmer]] = collections.deque()
        self._wake = asyncio.Event()
        self._stored = asyncio.Event()
        self._stored.set()

    def take(self, event: LinkEvent, confirmer: Confirmer) -> None:
        """Keeps one event until it is stored, or passes it on.  Raises ConnectorFault for a wrong number.

        ``confirmer``: of the link over which it came.
        """
        if isinstance(event, PhaseChanged):
            self._sends.phase(event.session, str(event.phase))
        elif isinstance(event, Wanted):
            self._resends.wanted(event.session, event.message_id)
        elif isinstance(event, Kept):
            confirmer.heard(event.n)
            if len(self._waiting) >= KEPT:
                log.error("an event of %s was lost: nothing can be stored", self._waiting.popleft()[0].session)
            self._waiting.append((event, confirmer))
            self._stored.clear()
            self._wake.set()

    def replan(self) -> None:
        """Sessions may have come from other shards."""
        self._heritage.replan()

    async def flush(self) -> None:
        """Returns when everything that came is stored."""
        await self._stored.wait()

    async def run(self) -> None:
        """Stores for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch = list(itertools.islice(self._waiting, BATCH))
                events = [event for event, _ in batch]
                try:
                    await self._canaries.learn(events)
                    shares = await self._heritage.of(e.session for e in events if isinstance(e, InboundMessage))
                    await self._journal.write(self._storing(events, shares))
                    self._heritage.settled(shares)
                except StoreError as error:
                    self._journal.watch.tell(log, "events can't be stored, trying again", error)
                    await asyncio.sleep(STORE_PAUSE)
                    continue
                for item in batch:
                    if self._waiting and self._waiting[0] is item:  # else it was given up meanwhile
                        self._waiting.popleft()
                for confirmer, upto in {confirmer: event.n for event, confirmer in batch}.items():
                    if upto is not None:
                        confirmer.stored(upto)
            self._stored.set()

    def _storing(self, events: Sequence[Kept], shares: Sequence[Share]) -> Operation[None]:
        async def write(conn: Statements) -> None:
            for share in shares:
                await inbound.inherit(conn, share.session, share.seen, share.moves)
            if arrived := await store(conn, events, self._canaries.knows):
                self._hints.concerns_all()
                log.debug("%d canaries arrived", arrived)

        return write


def happened(at: int, now: float) -> float:
    """When an event was, in seconds since 1970, of what the connector says of it in milliseconds.

    What is stored is pruned by this time, so one that can't be right, of a connector with another unit or another
    clock, is the present one.
    """
    said = at / 1000
    return said if now - OLDEST <= said <= now else now


async def store(conn: Statements, events: Sequence[Kept], is_canary: Callable[[str], bool] = lambda _: False) -> int:
    """Appends what the events tell to the outbox; a receipt also moves the send that it is for.

    Of a canary nothing is told but that it arrived; returns how many did.
    """
    canaries, now = 0, time.time()
    for event in events:
        at = happened(event.at, now)
        if isinstance(event, Receipt):
            if not is_canary(event.message_id):
                await _receipt(conn, event, at)
        elif isinstance(event, InboundMessage) and is_canary(event.message_id):
            named = {"messageId": event.message_id}
            await outbox.append(conn, [NewEvent(at, EventType.SESSION_CANARY, event.session, named)])
            canaries += 1
        elif isinstance(event, InboundMessage):
            await _message(conn, event, at)
        else:
            data = {"messageId": event.message_id, "from": event.sender}
            await outbox.append(conn, [NewEvent(at, EventType.SESSION_UNDECRYPTABLE, event.session, data)])
    return canaries


async def _message(conn: Statements, event: InboundMessage, at: float) -> None:
    """One that was told before is not told again: the server repeats what it did not see acknowledged."""
    participant = event.participant or ""
    if not await inbound.first_time(conn, event.session, (event.sender, participant, event.message_id), at):
        return
    data = {
        "messageId": event.message_id,
        "from": event.sender,
        "timestamp": event.timestamp / 1000,
        "text": event.text,
    }
    if event.participant is not None:
        data["participant"] = event.participant
    await outbox.append(conn, [NewEvent(at, EventType.SESSION_MESSAGE, event.session, data)])


async def _receipt(conn: Statements, event: Receipt, at: float) -> None:
    known = await shard_queries.find_by_message(conn, event.session, event.message_id)
    if known is not None and (state := by_receipt(event.type)) is not None:
        await shard_queries.record_send_state(conn, replace(known, state=state, error=None, updated_at=time.time()))
    data = {"id": known.id if known else None, "messageId": event.message_id, "type": event.type}
    await outbox.append(conn, [NewEvent(at, EventType.SESSION_RECEIPT, event.session, data)])
