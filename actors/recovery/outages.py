"""Tells of outages: the hosts recognise them (``actors.admission``), here they become events of recovery's outbox."""

import logging
from collections.abc import Mapping
from pathlib import Path

from actors.admission.ledger import Ledger, boards
from actors.admission.outage import Outage
from actors.events import EventType
from actors.store import outbox
from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.records import NewEvent

log = logging.getLogger(__name__)

PAGE = 500
"""Events read at a time."""


def changes(before: Mapping[str, Outage], after: Mapping[str, Outage], now: float) -> list[NewEvent]:
    """The events of what began and what ended, of the whole fleet, by connector.  Pure."""
    events = []
    for connector in sorted(before.keys() | after.keys()):
        was, known = before.get(connector, Outage()), after.get(connector, Outage())
        if was.since == known.since:
            continue
        if was.since is not None:
            events.append(_event(connector, was, now, now))
        if known.since is not None:
            events.append(_event(connector, known, known.since, None))
    return events


def _event(connector: str, outage: Outage, at: float, ended: float | None) -> NewEvent:
    data = {"connector": connector, "cause": outage.cause, "since": outage.since, "ended": ended}
    return NewEvent(at, EventType.RECOVERY_OUTAGE, None, data)


async def _told(conn: Statements) -> dict[str, Outage]:
    """The outages whose end was not told so far, by connector."""
    open_ones: dict[str, Outage] = {}
    cursor = 0
    while True:
        events, last = await outbox.read_kinds_after(conn, cursor, (EventType.RECOVERY_OUTAGE,), PAGE)
        for event in events:
            if event.data.get("ended") is None:
                open_ones[event.data["connector"]] = Outage(since=event.data["since"], cause=event.data["cause"])
            else:
                open_ones.pop(event.data["connector"], None)
        if last <= cursor or len(events) < PAGE:
            return open_ones
        cursor = last


class Outages:
    """What was told is remembered; a fresh actor reads it from the outbox, and tells the end of what another began."""

    def __init__(self, runtime_dir: Path) -> None:
        self._runtime_dir = runtime_dir
        self._ledgers: dict[str, Ledger] = {}
        self._known: dict[str, Outage] | None = None

    async def look(self, database: Database, now: float) -> int | None:
        """Tells what changed; returns the last number of the outbox, None if nothing did.  Raises StoreError."""
        if self._known is None:
            self._known = await database.run(_told)
        found = self._read(self._known)
        events = changes(self._known, found, now)
        if not events:
            return None

        async def tell(conn: Statements) -> int:
            await outbox.append(conn, events)
            return await outbox.last_seq(conn)

        upto = await database.run(tell)
        self._known = found
        for event in events:
            connector, cause = event.data["connector"], event.data["cause"]
            if event.data["ended"] is None:
                log.warning("%s: nobody gets through (%s), one session at a time tries for all", connector, cause)
            else:
                log.info("%s: the outage is over, all sessions connect again", connector)
        return upto

    def _read(self, known: Mapping[str, Outage]) -> dict[str, Outage]:
        """As the boards say; of one that is there and can't be read, what was known of it holds."""
        found = {}
        for connector, path in boards(self._runtime_dir).items():
            try:
                if connector not in self._ledgers:
                    self._ledgers[connector] = Ledger(path)
                found[connector] = self._ledgers[connector].read().outage
            except OSError as error:
                log.debug("the admission board of %s can't be read: %s", connector, error)
                found[connector] = known.get(connector, Outage())
        return found
