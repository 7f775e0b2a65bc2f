"""How messages and receipts travel: from one simulated session to another, and to people outside."""

import asyncio
from typing import TYPE_CHECKING

from actors.connectors.link_events import InboundMessage, Receipt, Received, Undecryptable
from actors.connectors.protocol import Phase
from actors.connectors.simulator.credentials import ratchet
from actors.connectors.simulator.faults import Mode
from actors.connectors.simulator.mailbox import Garbled, Item, Letter, Slip
from actors.connectors.simulator.shared import Shared
from actors.connectors.simulator.world import READ_SHARE, chance

if TYPE_CHECKING:
    from actors.connectors.simulator.connection import Connection
    from actors.connectors.simulator.session import Session

DELIVERED = "delivered"
READ = "read"
_OUTSIDE_ANSWERS = 3
"""Answer times until the phone of somebody outside has a message."""
_READ_SECONDS = (1.0, 5.0)
"""How long after its delivery a message is read, if it is."""


def post(source: "Session", shared: Shared, message_id: str, phone: str, text: str) -> None:
    """The server accepted a message from ``source``; a repeated one is not delivered again."""
    if not source.mailbox.accept(message_id):
        return
    letter = Letter(message_id, source.phone, text, shared.now_ms(), source)
    owners = shared.owners_of(phone)
    for owner in owners:
        hand_in(owner, shared, letter)
    if not owners:
        delay = _OUTSIDE_ANSWERS * source.answer_time()
        shared.loop.call_later(delay, _receipts, source, shared, message_id)


def hand_in(owner: "Session", shared: Shared, item: Item) -> None:
    """Puts something into a session's mailbox; it comes now, or with the next login."""
    owner.mailbox.put(item, shared.loop.time() + owner.answer_time())
    if owner.connection is not None:
        owner.connection.hear()


def _receipts(source: "Session", shared: Shared, message_id: str) -> None:
    """The recipient's phone has the message, and perhaps it will be read."""
    hand_in(source, shared, Slip(message_id, DELIVERED))
    share = chance(shared.options.seed, source.id, f"read/{message_id}", 0)
    if share < READ_SHARE:
        least, most = _READ_SECONDS
        delay = least + (most - least) * share / READ_SHARE
        shared.loop.call_later(delay, hand_in, source, shared, Slip(message_id, READ))


class Delivery:
    """Takes what is in a session's mailbox to its connection, in order, while the connection hears."""

    __slots__ = ("_connection", "_running", "_session", "_shared")

    def __init__(self, session: "Session", connection: "Connection", shared: Shared) -> None:
        self._session = session
        self._connection = connection
        self._shared = shared
        self._running = False

    def go_on(self) -> None:
        """Begins, unless it is at it."""
        if not self._running and self._session.mailbox.items and self._hears():
            self._running = True
            self._connection.start(self._run())

    def _hears(self) -> bool:
        deaf = self._session.suffers(Mode.DEAF) or self._session.suffers(Mode.HALF_OPEN)
        return self._connection.phase is Phase.OPEN and not self._connection.ended and not deaf

    async def _run(self) -> None:
        items = self._session.mailbox.items
        try:
            while items and self._hears():
                due, item = held = items[0]
                await asyncio.sleep(max(0.0, due - self._shared.loop.time()))
                if not self._hears():
                    return
                # The server forgets it when it is acknowledged, and that is done last: what happens before comes again.
                await self._tell(item)
                if isinstance(item, Letter):
                    await self._session.vault.commit(ratchet(item.sender, item.timestamp))
                if items and items[0] is held:  # else it was dropped meanwhile
                    items.popleft()
                if isinstance(item, Letter) and item.source is not None:
                    _receipts(item.source, self._shared, item.message_id)
        finally:
            self._running = False

    async def _tell(self, item: Item) -> None:
        """Tells session and host; returns when the host has stored it."""
        stamp, counts, kept = self._connection.stamp, self._shared.counts, self._shared.kept
        match item:
            case Slip():
                receipt = Receipt(**stamp, message_id=item.message_id, type=item.type)
                self._connection.tell(receipt)
                await kept.tell(receipt)
            case Garbled():
                counts["undecryptable"] += 1
                self._connection.tell(Undecryptable(**stamp, message_id=item.message_id))
                await kept.tell(Undecryptable(**stamp, message_id=item.message_id, sender=_jid(item.sender)))
            case Letter():
                counts["received"] += 1
                self._connection.tell(Received(**stamp, message_id=item.message_id))
                await kept.tell(
                    InboundMessage(
                        **stamp,
                        message_id=item.message_id,
                        sender=_jid(item.sender),
                        timestamp=item.timestamp,
                        text=item.text,
                    )
                )


def _jid(phone: str) -> str:
    return f"{phone}@s.whatsapp.net"
