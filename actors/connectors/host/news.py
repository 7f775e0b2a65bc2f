"""What the connector tells the host: durable facts go to the outbox, phases to the sends."""

import logging

from actors.connectors.host.journal import Journal
from actors.connectors.host.sends import Sends
from actors.connectors.link_events import (
    InboundMessage,
    LinkEvent,
    PhaseChanged,
    Receipt,
    Undecryptable,
)
from actors.events import EventType
from actors.store import outbox
from actors.store.errors import StoreError
from actors.store.records import NewEvent

log = logging.getLogger(__name__)


class News:
    """Handles the events of the host's link."""

    def __init__(self, journal: Journal, sends: Sends) -> None:
        self._journal = journal
        self._sends = sends

    async def take(self, event: LinkEvent) -> None:
        """Stores or passes on one event."""
        if isinstance(event, PhaseChanged):
            self._sends.phase(event.session, str(event.phase))
        elif isinstance(event, Receipt):
            id = await self._sends.receipt(event.session, event.message_id, event.type)
            await self._store(
                event,
                EventType.SESSION_RECEIPT,
                {"id": id, "messageId": event.message_id, "type": event.type},
            )
        elif isinstance(event, InboundMessage):
            data = {
                "messageId": event.message_id,
                "from": event.sender,
                "timestamp": event.timestamp / 1000,
                "text": event.text,
            }
            await self._store(event, EventType.SESSION_MESSAGE, data)
        elif isinstance(event, Undecryptable):
            await self._store(
                event, EventType.SESSION_UNDECRYPTABLE, {"messageId": event.message_id, "from": event.sender}
            )

    async def _store(self, event: LinkEvent, type: EventType, data: dict[str, object]) -> None:
        new = NewEvent(event.at / 1000, type, event.session, data)
        try:
            await self._journal.write(lambda conn: outbox.append(conn, [new]))
        except StoreError as error:
            log.error("an event of %s was lost: %s", event.session, error)
