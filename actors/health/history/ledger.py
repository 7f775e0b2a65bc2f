"""The transactions that write the history: each leaves the database right, whatever happens before the next.

Minutes are derived from what was observed, hours from minutes, days from hours.  A cursor says up to where that is
done, and moves in the same transaction; what comes late, or from a clock that was set back, moves it back, and what was
derived is derived again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from actors.health.history.entries import Entry, union
from actors.health.history.packing import pack_entries, pack_rollup, unpack_entries, unpack_rollup
from actors.health.history.rollups import Sum, roll_up
from actors.store import history_queries as queries
from actors.store.direct import Operation, Statements
from actors.store.history_queries import Level, Progress

MINUTES_AN_HOUR, HOURS_A_DAY = 60, 24
FINER: Mapping[Level, tuple[Level, int]] = {
    Level.HOUR: (Level.MINUTE, MINUTES_AN_HOUR),
    Level.DAY: (Level.HOUR, HOURS_A_DAY),
}
"""Of what a level is derived, and of how many buckets."""
PATIENCE: Mapping[Level, int] = {Level.HOUR: 5, Level.DAY: 0}
"""Finer buckets that must be complete beyond an hour or a day before it is derived: what comes late, comes soon."""
SESSIONS_AT_ONCE = 50
"""Of which an hour or a day is derived in one transaction."""
SESSIONS_IN_QUERY = 500
"""SQLite has a bound on the values of a statement."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A minute of a session, ready to be stored."""

    minute: int
    session: str
    entries: Sequence[Entry]
    raw: bytes
    rollup: bytes


def pack(minute: int, session: str, entries: Sequence[Entry]) -> Packed:
    """Packs what was observed within one minute."""
    ordered = union(entries)
    return Packed(minute, session, ordered, pack_entries(minute, ordered), pack_rollup(roll_up(ordered)))


def store(packed: Sequence[Packed], complete: int) -> Operation[int]:
    """Stores minutes, after which those before ``complete`` are complete; returns how many were too late.

    What is stored again changes nothing.  A minute that is pruned can't be derived any more: what comes for it is lost.
    """

    async def operation(conn: Statements) -> int:
        levels = await queries.load_levels(conn)
        first = min((item.minute for item in packed), default=complete)
        raw = levels.get(Level.RAW, Progress(first))
        # after the clock was set back, what was pruned in advance is no reason to lose what comes now
        kept_from = min(raw.kept_from, _hour_of(complete) * MINUTES_AN_HOUR)
        wanted = [item for item in packed if item.minute >= kept_from]
        numbers = await queries.numbers(conn)
        await queries.add_sessions(conn, dict.fromkeys(i.session for i in wanted if i.session not in numbers))
        numbers = await queries.numbers(conn)
        known = await _known(conn, [(item.minute, numbers[item.session]) for item in wanted])
        rows = [_row(item, numbers[item.session], known) for item in wanted]
        await queries.upsert(conn, Level.RAW, [(minute, number, raw) for minute, number, raw, _ in rows])
        await queries.upsert(conn, Level.MINUTE, [(minute, number, rollup) for minute, number, _, rollup in rows])
        fresh = len(rows) - len(known)
        minute = levels.get(Level.MINUTE, Progress(first))
        await queries.store_level(conn, Level.RAW, Progress(complete, 0, kept_from, raw.rows + fresh))
        await queries.store_level(conn, Level.MINUTE, replace(minute, upto=complete, rows=minute.rows + fresh))
        touched = min((item.minute for item in wanted), default=complete)
        await _set_back(conn, levels, min(touched, complete))
        return len(packed) - len(wanted)

    return operation


async def _known(conn: Statements, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """What is stored already of these minutes and sessions: hardly ever anything."""
    known = {}
    wanted = set(keys)
    for minute in sorted({minute for minute, _ in keys}):
        for bucket, number, data in await queries.rows_between(conn, Level.RAW, minute, minute):
            if (bucket, number) in wanted:
                known[bucket, number] = data
    return known


def _row(item: Packed, number: int, known: Mapping[tuple[int, int], bytes]) -> tuple[int, int, bytes, bytes]:
    before = known.get((item.minute, number))
    if before is not None:
        item = pack(item.minute, item.session, union(unpack_entries(item.minute, before), item.entries))
    return item.minute, number, item.raw, item.rollup


async def _set_back(conn: Statements, levels: Mapping[Level, Progress], minute: int) -> None:
    """Whatever was derived from this minute, or later ones, is to be derived again."""
    for level, bucket in ((Level.HOUR, _hour_of(minute)), (Level.DAY, _hour_of(minute) // HOURS_A_DAY)):
        before = levels.get(level)
        if before is None or bucket <= before.upto:
            rows, kept_from = (0, 0) if before is None else (before.rows, min(before.kept_from, bucket))
            await queries.store_level(conn, level, Progress(bucket, 0, kept_from, rows))


def _hour_of(minute: int) -> int:
    return minute // MINUTES_AN_HOUR


def derive(level: Level) -> Operation[bool]:
    """Derives the next hour or day, of some sessions; False if there is nothing to derive yet."""
    finer, count = FINER[level]

    async def operation(conn: Statements) -> bool:
        levels = await queries.load_levels(conn)
        if level not in levels or finer not in levels:
            return False
        own, source = levels[level], levels[finer]
        if (own.upto + 1) * count + PATIENCE[level] > source.upto:
            return False
        first, last = own.upto * count, (own.upto + 1) * count - 1
        found = await queries.first_bucket(conn, finer, first)
        if found is None or found > last:
            # nothing was observed: on to where something was, or to where all is complete
            ahead = (source.upto if found is None else min(found, source.upto)) // count
            await queries.store_level(conn, level, replace(own, upto=max(own.upto + 1, ahead), part=0))
            return True
        until = own.part + SESSIONS_AT_ONCE - 1
        sums: defaultdict[int, Sum] = defaultdict(Sum)
        for _, number, data in await queries.rows_between(conn, finer, first, last, (own.part, until)):
            sums[number].add(unpack_rollup(data))
        known = {n for _, n, _ in await queries.rows_between(conn, level, own.upto, own.upto, (own.part, until))}
        rows = [(own.upto, number, pack_rollup(total.total())) for number, total in sums.items()]
        await queries.upsert(conn, level, rows)
        done = until >= await queries.highest_number(conn)
        await queries.store_level(
            conn,
            level,
            replace(
                own,
                upto=own.upto + 1 if done else own.upto,
                part=0 if done else until + 1,
                rows=own.rows + len(sums.keys() - known),
            ),
        )
        return True

    return operation


def prune(level: Level, before: int, most_rows: int) -> Operation[bool]:
    """Deletes the oldest buckets before ``before``, about ``most_rows`` rows; whether there are more to delete."""

    async def operation(conn: Statements) -> bool:
        levels = await queries.load_levels(conn)
        progress = levels.get(level)
        oldest = await queries.first_bucket(conn, level)
        if progress is None or oldest is None or oldest >= before:
            return False
        newest = await queries.last_bucket(conn, level)
        assert newest is not None
        # rows of a time to come, as of a clock that was ahead, would make it look as if a bucket had next to none
        newest = min(newest, max(before, progress.upto))
        a_bucket = max(1, progress.rows // (newest - oldest + 1))
        until = min(before, oldest + max(1, most_rows // a_bucket))
        deleted = await queries.delete_before(conn, level, until)
        kept_from = max(progress.kept_from, until)
        await queries.store_level(conn, level, replace(progress, kept_from=kept_from, rows=progress.rows - deleted))
        return until < before

    return operation


def purge(level: Level, first: int, count: int) -> Operation[int | None]:
    """Deletes what sessions that are gone have in ``count`` buckets from ``first`` on.

    Returns the bucket to go on with, None at the end.
    """

    async def operation(conn: Statements) -> int | None:
        found = await queries.first_bucket(conn, level, first)
        sessions = await queries.gone(conn)
        if found is None or not sessions:
            return None
        deleted = 0
        for start in range(0, len(sessions), SESSIONS_IN_QUERY):
            some = sessions[start : start + SESSIONS_IN_QUERY]
            deleted += await queries.delete_sessions(conn, level, some, found, found + count - 1)
        progress = (await queries.load_levels(conn)).get(level)
        if deleted and progress is not None:
            await queries.store_level(conn, level, replace(progress, rows=progress.rows - deleted))
        return found + count

    return operation
