"""The outbox of a producer: events in the order of their transactions, each consumer with its own cursor.

Sequence numbers have no gaps, not even for a reader: a database has one writer, ``BEGIN IMMEDIATE`` gives it
the numbers inside its transaction, and a transaction that is rolled back (or whose process is killed) gives
them back.  So a consumer that has seen ``n`` will never be shown a smaller number later.  Pruning takes rows
from the beginning only.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import BindParameter, Integer, Table, Text, bindparam, column, delete, insert, select, table, text

from actors.events import EventType
from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.prepared import Prepared, change, fetch
from actors.store.records import NewEvent, OutboxEvent
from actors.store.tables import api_outbox

_OUTBOX: Table = api_outbox  # the same in every producer's database
_COUNTER = table("sqlite_sequence", column("name", Text), column("seq", Integer))
"""SQLite's own record of the AUTOINCREMENT numbers it gave out (https://www.sqlite.org/autoinc.html)."""
_APPEND = Prepared(insert(_OUTBOX), ("at", "type", "session", "data"))
_LAST = Prepared(select(_COUNTER.c.seq).where(_COUNTER.c.name == bindparam("outbox")))
_AFTER = Prepared(
    select(_OUTBOX.c.seq, _OUTBOX.c.at, _OUTBOX.c.type, _OUTBOX.c.session, _OUTBOX.c.data)
    .where(_OUTBOX.c.seq > bindparam("cursor"))
    .order_by(_OUTBOX.c.seq)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Which database an outbox is in: the numbers of another one mean nothing in it."""

    identity: int
    """Made at random with the database, and the same in its copies; 0: made by an early version."""
    last: int
    """The last number that was given out."""

    def resumed(self, identity: int, cursor: int) -> int:
        """Where a consumer reads on that has read up to ``cursor`` in the outbox with that identity.

        Another one is read from its beginning.  In an older copy of the same nothing is new but what is still to come.
        """
        return min(cursor, self.last) if identity == self.identity else 0


async def origin(conn: Statements) -> Origin:
    """Of the outbox of this database."""
    return Origin(int((await conn.execute(text("PRAGMA user_version"))).scalar_one()), await last_seq(conn))


async def append(conn: Statements, events: Sequence[NewEvent]) -> None:
    """Adds events within the caller's transaction."""
    if events:
        rows = [
            {"at": event.at, "type": event.type.value, "session": event.session, "data": dict(event.data)}
            for event in events
        ]
        await change(conn, _APPEND, *rows)


async def last_seq(conn: Statements) -> int:
    """The last number that was given out, also when its row is pruned; 0 before the first."""
    found = await fetch(conn, _LAST, outbox=_OUTBOX.name)
    return int(found[0][0]) if found else 0


async def read_after(conn: Statements, cursor: int, limit: int) -> list[OutboxEvent]:
    """At most ``limit`` events after ``cursor`` in order.

    If the first is not ``cursor + 1``, those between were pruned before this consumer came.
    """
    return [OutboxEvent(*row) for row in await fetch(conn, _AFTER, cursor=cursor, most=limit)]


async def read_kinds_after(
    conn: Statements, cursor: int, kinds: Sequence[EventType], limit: int
) -> tuple[list[OutboxEvent], int]:
    """The same of some types only, and up to which number that is all there is."""
    last = await last_seq(conn)
    names = [kind.value for kind in kinds]
    query = select(_OUTBOX).where(_OUTBOX.c.seq > cursor, _OUTBOX.c.type.in_(names)).order_by(_OUTBOX.c.seq)
    rows = (await conn.execute(query.limit(limit))).all()
    events = [OutboxEvent(row.seq, row.at, row.type, row.session, row.data) for row in rows]
    return events, events[-1].seq if len(events) == limit else last


async def read_some(conn: Statements, numbers: Collection[int]) -> list[OutboxEvent]:
    """Those of these events that are kept, in their order."""
    query = select(_OUTBOX).where(_OUTBOX.c.seq.in_(numbers)).order_by(_OUTBOX.c.seq)
    return [OutboxEvent(row.seq, row.at, row.type, row.session, row.data) for row in (await conn.execute(query)).all()]


async def read_session(
    conn: Statements, session: str, kinds: Sequence[EventType], since: float, until: float
) -> list[OutboxEvent]:
    """The last event of one session, of some types, before a time, if there is one, and those from then to another.

    The outbox is read from its end back to that one, unless there is an index for these types: what is older, and most
    of it, is not.
    """
    # as literals: SQLite takes a partial index only for what it sees to be in it
    names: BindParameter[str] = bindparam("kinds", [kind.value for kind in kinds], expanding=True, literal_execute=True)
    of_it = (_OUTBOX.c.session == session, _OUTBOX.c.type.in_(names))
    before = select(_OUTBOX.c.seq).where(*of_it, _OUTBOX.c.at < since).order_by(_OUTBOX.c.seq.desc()).limit(1)
    first = (await conn.execute(before)).scalar_one_or_none() or 0
    query = select(_OUTBOX).where(*of_it, _OUTBOX.c.seq >= first, _OUTBOX.c.at <= until).order_by(_OUTBOX.c.seq)
    return [OutboxEvent(row.seq, row.at, row.type, row.session, row.data) for row in (await conn.execute(query)).all()]


async def prune(database: Database, before: float, batch: int = 500, *, upto: int | None = None) -> int:
    """Deletes the leading events older than ``before`` and not after sequence ``upto``; returns how many.

    It ends at the first event that stays, also when the clock had been set back and younger times come first,
    so what stays never has a gap.  Each transaction takes at most ``batch`` rows: others' writes wait for
    milliseconds only.
    """
    deleted = 0
    while True:
        async with database.begin() as conn:
            leading = select(_OUTBOX.c.seq, _OUTBOX.c.at).order_by(_OUTBOX.c.seq).limit(batch)
            last = None
            for row in (await conn.execute(leading)).all():
                if row.at >= before or (upto is not None and row.seq > upto):
                    break
                last = row.seq
            if last is None:
                return deleted
            count = (await conn.execute(delete(_OUTBOX).where(_OUTBOX.c.seq <= last))).rowcount
        deleted += count
        if count < batch:
            return deleted
