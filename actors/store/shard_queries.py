"""shard-N.db, written by a connector host: the states of its sessions and of their sends."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.sqlite import insert

from actors.events import EventType
from actors.store import cursors, inbound, outbox
from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.prepared import Prepared, change, fetch
from actors.store.records import LEFT, NewEvent, OutboxEvent, SendProgress, SessionState
from actors.store.send_states import QUEUED, UNFINISHED, advances
from actors.store.tables import send_state, session_state, shard_outbox
from actors.store.tables.shard import TRANSITION

SENDS_CURSOR: Final = "api.sends"
"""How far a shard has taken over the sends of api.db."""
REMOVED: Final = "session_removed"
"""Error of a send whose session is no more."""
_UNFINISHED: Final = text("state IN ('queued', 'sent-unconfirmed')")
"""As in the index of that name."""
_TAKEN_UP: Final = text("send_state.rowid")
"""Rows of one session are in the order in which they were taken over."""
_SEND = tuple(send_state.columns.keys())


def _keeping() -> Prepared:
    statement = insert(send_state)
    changed = {name: statement.excluded[name] for name in _SEND if name not in {"session", "id"}}
    key = [send_state.c.session, send_state.c.id]
    return Prepared(statement.on_conflict_do_update(index_elements=key, set_=changed), _SEND)


_KEEP_SEND = _keeping()
_FIND_SEND = Prepared(
    select(send_state).where(send_state.c.session == bindparam("of"), send_state.c.id == bindparam("known_as"))
)
_FIND_MESSAGE = Prepared(
    select(send_state).where(send_state.c.message_id == bindparam("message"), send_state.c.session == bindparam("of"))
)
_FORGET_SEND = Prepared(
    delete(send_state).where(send_state.c.session == bindparam("of"), send_state.c.id == bindparam("known_as"))
)
_UNFINISHED_OF = Prepared(
    select(send_state)
    .where(send_state.c.session == bindparam("of"), _UNFINISHED)
    .order_by(_TAKEN_UP)
    .limit(bindparam("most"))
)
_NEXT_TOLD = Prepared(
    select(func.min(shard_outbox.c.session).label("session")).where(
        TRANSITION, shard_outbox.c.session > bindparam("after")
    )
)
_LAST_TOLD = Prepared(
    select(*(shard_outbox.c[name] for name in ("seq", "at", "type", "session", "data")))
    .where(TRANSITION, shard_outbox.c.session == bindparam("of"), shard_outbox.c.at <= bindparam("until"))
    .order_by(shard_outbox.c.seq.desc())
    .limit(1)
)


async def store_transition(conn: Statements, new: SessionState) -> bool:
    """Stores a transition and its event ``session.state``; False, and nothing stored, unless it is newer.

    A report that was repeated, or overtaken by a later incarnation's, changes nothing.
    """
    statement = insert(session_state).values(
        session=new.session,
        incarnation=new.incarnation,
        number=new.number,
        state=new.state,
        cause=new.cause,
        code=new.code,
        since=new.since,
        data=dict(new.data),
    )
    excluded = statement.excluded
    upsert = statement.on_conflict_do_update(
        index_elements=[session_state.c.session],
        set_={name: excluded[name] for name in ("incarnation", "number", "state", "cause", "code", "since", "data")},
        where=tuple_(excluded.incarnation, excluded.number)
        > tuple_(session_state.c.incarnation, session_state.c.number),
    )
    if (await conn.execute(upsert)).rowcount != 1:
        return False
    data = {**new.data, "state": new.state, "cause": new.cause, "code": new.code}
    await outbox.append(conn, [NewEvent(new.since, EventType.SESSION_STATE, new.session, data)])
    return True


async def load_state(conn: Statements, session: str) -> SessionState | None:
    """The last stored transition of a session."""
    query = select(session_state).where(session_state.c.session == session)
    row = (await conn.execute(query)).mappings().one_or_none()
    return None if row is None else SessionState(**row)


async def load_states(conn: Statements) -> dict[str, SessionState]:
    """The last stored transition of every session that this shard ever had."""
    rows = (await conn.execute(select(session_state))).mappings().all()
    return {row["session"]: SessionState(**row) for row in rows}


async def last_told(conn: Statements, at: float) -> dict[str, OutboxEvent]:
    """The last transition or removal of each session until then, of those that are kept: a few look-ups a session."""
    found = {}
    [(session,)] = await fetch(conn, _NEXT_TOLD, after="")
    while session is not None:
        for row in await fetch(conn, _LAST_TOLD, of=session, until=at):
            found[session] = OutboxEvent(*row)
        [(session,)] = await fetch(conn, _NEXT_TOLD, after=session)
    return found


async def record_send_state(conn: Statements, progress: SendProgress) -> bool:
    """Stores a send's state and its event ``session.send``; False, and nothing stored, unless it advances.

    Of a session that was forgotten meanwhile nothing advances any more.
    """
    known = await find_send_state(conn, progress.session, progress.id)
    previous = None if known is None else known.state
    if not advances(previous, progress.state) or (previous is None and progress.state != QUEUED):
        return False
    await change(conn, _KEEP_SEND, _row(progress))
    await outbox.append(conn, [_told(progress, previous)])
    return True


def _row(progress: SendProgress) -> dict[str, object]:
    return {name: getattr(progress, name) for name in _SEND}


def _told(progress: SendProgress, previous: str | None) -> NewEvent:
    data = {
        "id": progress.id,
        "messageId": progress.message_id,
        "state": progress.state,
        "previous": previous,
        "error": progress.error,
    }
    return NewEvent(progress.updated_at, EventType.SESSION_SEND, progress.session, data)


async def find_send_state(conn: Statements, session: str, send_id: str) -> SendProgress | None:
    """How far a send has come, by the caller's id."""
    found = await fetch(conn, _FIND_SEND, of=session, known_as=send_id)
    return _progress(found[0]) if found else None


async def find_by_message(conn: Statements, session: str, message_id: str) -> SendProgress | None:
    """The send that WhatsApp knows as ``message_id``; None for a message that was not sent from here."""
    found = await fetch(conn, _FIND_MESSAGE, of=session, message=message_id)
    return _progress(found[0]) if found else None


def _progress(row: Sequence[Any]) -> SendProgress:
    return SendProgress(**dict(zip(_SEND, row, strict=True)))


async def accept_sends(conn: Statements, accepted: Sequence[SendProgress], upto: int) -> None:
    """Takes sends over from api.db, in order, and moves the cursor to ``upto`` in the same transaction.

    A row that is there already is of an earlier send with that id, which api.db has forgotten: it gives way.
    """
    await change(conn, _FORGET_SEND, *({"of": progress.session, "known_as": progress.id} for progress in accepted))
    await change(conn, _KEEP_SEND, *(_row(progress) for progress in accepted))
    await outbox.append(conn, [_told(progress, None) for progress in accepted])
    await cursors.set_cursor(conn, SENDS_CURSOR, upto)


async def unfinished_sends(conn: Statements, session: str, limit: int) -> list[SendProgress]:
    """The first ``limit`` (-1: all) sends of a session that are not finished, in the order of their acceptance."""
    return [_progress(row) for row in await fetch(conn, _UNFINISHED_OF, of=session, most=limit)]


async def count_unfinished(conn: Statements) -> dict[str, int]:
    """The sessions that have something to send, and how much."""
    query = select(send_state.c.session, func.count().label("sends")).where(_UNFINISHED).group_by(send_state.c.session)
    return {row.session: row.sends for row in (await conn.execute(query)).all()}


async def fail_unfinished(conn: Statements, session: str, error: str, now: float, limit: int) -> int:
    """Gives up at most ``limit`` (-1: all) of what a session has to send; returns how many there were."""
    waiting = await unfinished_sends(conn, session, limit)
    for progress in waiting:
        await record_send_state(conn, replace(progress, state="failed", error=error, updated_at=now))
    return len(waiting)


async def leave_session(conn: Statements, session: str, now: float) -> None:
    """Tells that a session is not wanted any more, and marks its state, which is kept for its return.

    What it had to send has failed: nobody expects a text to go out when the session comes back after days.
    The next transition, which comes with the return, takes the mark away.
    """
    await fail_unfinished(conn, session, REMOVED, now, -1)
    known = select(session_state.c.data).where(session_state.c.session == session)
    data = (await conn.execute(known)).scalar_one_or_none()
    if data is not None:
        marked = update(session_state).where(session_state.c.session == session).values(data={**data, LEFT: True})
        await conn.execute(marked)
    await outbox.append(conn, [NewEvent(now, EventType.SESSION_REMOVED, session, {"kept": True})])


async def forget_session(conn: Statements, session: str, now: float, *, moved: bool) -> None:
    """Removes what is stored of a session that is no more, and tells so; its events stay until they are pruned.

    Of one that ``moved`` to another shard nothing is told but the end of its messages: it lives.  What tells its
    inbound messages from repetitions stays for that shard to read, until it is pruned.
    """
    await conn.execute(delete(session_state).where(session_state.c.session == session))
    waiting = await unfinished_sends(conn, session, -1)
    failed = [(replace(p, state="failed", error=REMOVED, updated_at=now), p.state) for p in waiting]
    await outbox.append(conn, [_told(progress, previous) for progress, previous in failed])
    await conn.execute(delete(send_state).where(send_state.c.session == session))
    if moved:
        await inbound.forget_moves(conn, session)
    else:
        await inbound.forget_session(conn, session)
        await outbox.append(conn, [NewEvent(now, EventType.SESSION_REMOVED, session, {"kept": False})])


async def known_sessions(conn: Statements) -> dict[str, float]:
    """Every session of which something is stored, with the time of its last transition (infinite without any)."""
    known = dict.fromkeys((await conn.execute(select(send_state.c.session).distinct())).scalars(), math.inf)
    for row in (await conn.execute(select(session_state.c.session, session_state.c.since))).all():
        known[row.session] = row.since
    return known


async def prune_sends(database: Database, before: float, now: float, batch: int = 500) -> int:
    """Gives up what has waited since before that time, then forgets what was finished before it.

    Returns how many were forgotten; ``batch`` in one transaction.
    """
    deleted = 0
    while True:
        async with database.begin() as conn:
            old = select(send_state).where(send_state.c.updated_at < before).limit(batch)
            rows = [SendProgress(**row) for row in (await conn.execute(old)).mappings().all()]
            for progress in rows:
                if progress.state in UNFINISHED:
                    expired = replace(progress, state="failed", error="expired", updated_at=now)
                    await record_send_state(conn, expired)
                else:
                    row = (send_state.c.session == progress.session, send_state.c.id == progress.id)
                    await conn.execute(delete(send_state).where(*row))
                    deleted += 1
        if len(rows) < batch:
            return deleted
