"""The ledger: one row an episode of trouble, and an event for each thing done about it.

It follows the shards' outboxes with a cursor in its own database, moved in the transaction of what it wrote: an event
counts exactly once, whatever is killed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from actors.events import EventType
from actors.recovery.episodes import Episode, Note, Outcome, fold
from actors.session.causes import Cause, cause_named
from actors.session.change import read_change
from actors.store import cursors, outbox, recovery_queries
from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.records import NewEvent, OutboxEvent

Open = dict[str, tuple[int, Episode]]
"""session -> (row of the ledger, episode)"""


class Ledger:
    """What a transaction changes is kept only once it is committed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: Open = {}
        self._cursors: dict[str, int] = {}

    async def load(self) -> None:
        """The episodes that an earlier actor left open."""
        async with self._database.begin() as conn:
            for row in await recovery_queries.open_episodes(conn):
                self._open[row.session] = (row.id, _restore(row.started_at, row.cause, row.attempts, row.data))

    async def cursor(self, source: str) -> int:
        """The last event of that shard that is accounted for."""
        if source not in self._cursors:
            async with self._database.begin() as conn:
                self._cursors[source] = await cursors.get_cursor(conn, source)
        return self._cursors[source]

    async def account(self, source: str, events: Sequence[OutboxEvent]) -> int:
        """Accounts for a shard's next events; returns the last number of the ledger's outbox.  Raises StoreError."""
        after: Open = dict(self._open)

        async def enter(conn: Statements) -> int:
            for event in events:
                if event.session is None:
                    continue
                if event.type == EventType.SESSION_STATE:
                    await _enter(conn, after, event.session, event)
                elif event.type == EventType.SESSION_REMOVED:
                    await _close(conn, after, event.session, event.at)
            await cursors.set_cursor(conn, source, events[-1].seq)
            return await outbox.last_seq(conn)

        upto = await self._database.run(enter)
        self._open, self._cursors[source] = after, events[-1].seq
        return upto

    async def prune(self, before: float, batch: int = 500) -> None:
        """Deletes episodes that ended before that time, ``batch`` in one transaction.  Raises StoreError."""
        count = batch
        while count == batch:
            async with self._database.begin() as conn:
                count = await recovery_queries.prune_episodes(conn, before, batch)


async def _close(conn: Statements, episodes: Open, session: str, at: float) -> None:
    """The session is no more."""
    row, episode = episodes.pop(session, (0, None))
    if episode is not None:
        ended = replace(episode, ended_at=at, outcome=Outcome.REMOVED, waiting_since=None)
        await recovery_queries.end_episode(conn, row, str(Outcome.REMOVED), at)
        await outbox.append(conn, [_event(Note(EventType.RECOVERY_STOPPED, at, ended), session, row)])


async def _enter(conn: Statements, episodes: Open, session: str, event: OutboxEvent) -> None:
    change = read_change(event.at, event.data)
    if change is None:
        return
    row, before = episodes.get(session, (0, None))
    after, notes = fold(before, change)
    for note in notes:
        if note.type is EventType.RECOVERY_STARTED:
            first = note.episode
            row = await recovery_queries.begin_episode(
                conn, session, str(first.cause), str(first.strategy), first.began_at, _data(first)
            )
        elif note.episode.outcome is not None:
            healed = note.at if note.episode.outcome is Outcome.HEALED else None
            await recovery_queries.end_episode(conn, row, str(note.episode.outcome), note.at, healed)
    await outbox.append(conn, [_event(note, session, row) for note in notes])
    if after is None:
        episodes.pop(session, None)
    else:
        episodes[session] = (row, after)
        if after != before:
            await recovery_queries.update_episode(conn, row, after.attempts, _data(after), str(after.strategy))


def _event(note: Note, session: str, row: int) -> NewEvent:
    episode = note.episode
    data: dict[str, Any] = {"episode": row, "cause": str(episode.last_cause), "attempts": episode.attempts}
    if note.type is EventType.RECOVERY_STARTED:
        data["strategy"] = str(episode.strategy)
    elif note.type is EventType.RECOVERY_ATTEMPT:
        data |= {"attempt": episode.attempts, "delaySeconds": note.delay_s}
    else:
        data |= {"outcome": str(episode.outcome), "seconds": episode.seconds, "remedy": episode.last_cause.remedy}
    return NewEvent(note.at, note.type, session, data)


def _data(episode: Episode) -> dict[str, Any]:
    return {
        "lastCause": str(episode.last_cause),
        "failures": episode.failures,
        "waitingSince": episode.waiting_since,
    }


def _restore(began_at: float, cause: str, attempts: int, data: Mapping[str, Any]) -> Episode:
    """An open episode as it was stored."""
    first = cause_named(cause) or Cause.UNKNOWN
    last = cause_named(str(data.get("lastCause"))) or first
    return Episode(began_at, first, last, int(data.get("failures", 1)), attempts, data.get("waitingSince"))
