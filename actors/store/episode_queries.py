"""What is asked of recovery.db: lists of episodes, and sums over up to months.

The recovery actor sums up each day when it is over, together with all days before it: the sums of 90 days are those up
to the last day without those up to the day before the first, a hundred rows instead of some hundred thousand.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select

from actors.recovery.spread import Spread, joined, spread_of
from actors.store.direct import Statements
from actors.store.records import Episode
from actors.store.tables import episode_days, episodes

DAY = 86400
"""Seconds; days are those of UTC, by the end of the episode."""
LOOP = 5
"""Attempts after which it is told that an episode goes on and on."""
HELD = "held"
"""Key in an episode's data: a pause held it up, so the time it took says nothing about recovery."""


@dataclass(frozen=True, slots=True)
class EpisodeFilter:
    """Which episodes; None for all."""

    session: str | None = None
    cause: str | None = None
    """The first one."""
    outcome: str | None = None
    open: bool | None = None
    """Those that go on, or those that have ended."""
    since: float | None = None
    """Began at this time or later."""
    until: float | None = None
    """Began before this time."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Of the episodes with one cause, strategy and outcome that ended within a time."""

    cause: str
    strategy: str
    outcome: str
    episodes: int
    attempts: int
    loops: int
    """How often five attempts in a row did not help."""
    detect: Spread
    """Times from the beginning of the fault until it was noticed."""
    recover: Spread
    """Times from the beginning of the fault until the connection was open that then proved itself; healed ones only,
    and none that a pause held up."""


async def list_episodes(
    conn: Statements, wanted: EpisodeFilter, limit: int, before: tuple[float, int] | None = None
) -> list[Episode]:
    """The latest that match, newest first; ``before`` (beginning and id of the last one seen) pages on."""
    table = episodes.c
    query = select(episodes)
    for column, value in (
        (table.session, wanted.session),
        (table.cause, wanted.cause),
        (table.outcome, wanted.outcome),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.open is not None:
        query = query.where(table.ended_at.is_(None) if wanted.open else table.ended_at.is_not(None))
    if wanted.since is not None:
        query = query.where(table.started_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(table.started_at < wanted.until)
    if before is not None:
        at, id = before
        query = query.where(table.started_at <= at)
        query = query.where(or_(table.started_at < at, and_(table.started_at == at, table.id < id)))
    rows = await conn.execute(query.order_by(table.started_at.desc(), table.id.desc()).limit(limit))
    return [Episode(**row) for row in rows.mappings().all()]


async def find_episode(conn: Statements, id: int) -> Episode | None:
    """One by its id."""
    row = (await conn.execute(select(episodes).where(episodes.c.id == id))).mappings().one_or_none()
    return None if row is None else Episode(**row)


async def count_open(conn: Statements) -> tuple[int, int]:
    """How many episodes go on, and how often five of their attempts in a row did not help."""
    found = (await conn.execute(select(episodes.c.attempts).where(episodes.c.ended_at.is_(None)))).scalars().all()
    return len(found), sum(attempts // LOOP for attempts in found)


async def sum_up(conn: Statements, day: int) -> None:
    """Sums up all episodes that ended on that day (its number since 1970) or before, in place of what was there."""
    await conn.execute(delete(episode_days).where(episode_days.c.day == day))
    before = await _upto(conn, day - 1)
    rows = [
        {
            "day": day,
            "cause": sums.cause,
            "strategy": sums.strategy,
            "outcome": sums.outcome,
            "episodes": sums.episodes,
            "attempts": sums.attempts,
            "loops": sums.loops,
            "detect": sums.detect.to_json(),
            "recover": sums.recover.to_json(),
        }
        for sums in _grouped([*before, *await _within(conn, day * DAY, (day + 1) * DAY)])
    ]
    if rows:
        await conn.execute(insert(episode_days), rows)


async def last_day(conn: Statements, upto: int | None = None) -> int | None:
    """The last day that was summed up, at all or not after another one."""
    query = select(func.max(episode_days.c.day))
    day: int | None = (await conn.execute(query if upto is None else query.where(episode_days.c.day <= upto))).scalar()
    return day


async def forget_days_from(conn: Statements, day: int) -> None:
    """Forgets the sums of that day and of later ones, which a clock that was ahead took to be over."""
    await conn.execute(delete(episode_days).where(episode_days.c.day >= day))


async def first_end(conn: Statements) -> float | None:
    """When the first of the episodes that are kept ended."""
    at: float | None = (await conn.execute(select(func.min(episodes.c.ended_at)))).scalar()
    return at


async def prune_days(conn: Statements, before: float) -> None:
    """Forgets the sums up to days that nobody asks for who asks for what came at that time or later."""
    kept = await last_day(conn, int(before // DAY) - 1)
    if kept is not None:
        await conn.execute(delete(episode_days).where(episode_days.c.day < kept))


async def sums_since(conn: Statements, since: float) -> list[Sums]:
    """Of the episodes that ended at that time or later, by cause, strategy and outcome."""
    first, last = math.ceil(since / DAY), await last_day(conn)
    if last is None or last < first:
        return _grouped(await _within(conn, since, math.inf))
    earlier = {(sums.cause, sums.strategy, sums.outcome): sums for sums in await _upto(conn, first - 1)}
    whole = [_minus(sums, earlier.get((sums.cause, sums.strategy, sums.outcome))) for sums in await _upto(conn, last)]
    begun = await _within(conn, since, first * DAY)
    return _grouped([*(s for s in whole if s.episodes > 0), *begun, *await _within(conn, (last + 1) * DAY, math.inf)])


async def _upto(conn: Statements, day: int) -> list[Sums]:
    """Of all episodes that ended on that day or before."""
    last = await last_day(conn, day)
    if last is None:
        return []
    return [_sums(row) for row in (await conn.execute(select(episode_days).where(episode_days.c.day == last))).all()]


async def _within(conn: Statements, since: float, until: float) -> list[Sums]:
    """Of the episodes that ended within a time, from their rows."""
    table = episodes.c
    columns = (table.cause, table.strategy, table.outcome, table.attempts, table.started_at)
    held = func.json_extract(table.data, f"$.{HELD}").label("held")
    query = select(*columns, table.detected_at, table.healed_at, held).where(table.ended_at >= since)
    if math.isfinite(until):
        query = query.where(table.ended_at < until)
    groups: dict[tuple[str, str, str], list[Row[Any]]] = {}
    for row in (await conn.execute(query)).all():
        groups.setdefault((row.cause, row.strategy, row.outcome), []).append(row)
    return [_of(*key, rows) for key, rows in groups.items()]


def _of(cause: str, strategy: str, outcome: str, rows: list[Row[Any]]) -> Sums:
    healed = [row for row in rows if row.healed_at is not None and not row.held]
    return Sums(
        cause,
        strategy,
        outcome,
        episodes=len(rows),
        attempts=sum(row.attempts for row in rows),
        loops=sum(row.attempts // LOOP for row in rows),
        detect=spread_of(row.detected_at - row.started_at for row in rows if row.detected_at is not None),
        recover=spread_of(row.healed_at - row.started_at for row in healed),
    )


def _grouped(parts: list[Sums]) -> list[Sums]:
    groups: dict[tuple[str, str, str], list[Sums]] = {}
    for sums in parts:
        groups.setdefault((sums.cause, sums.strategy, sums.outcome), []).append(sums)
    return [_joined(groups[key]) for key in sorted(groups)]


def _minus(whole: Sums, part: Sums | None) -> Sums:
    if part is None:
        return whole
    return replace(
        whole,
        episodes=whole.episodes - part.episodes,
        attempts=whole.attempts - part.attempts,
        loops=whole.loops - part.loops,
        detect=whole.detect.minus(part.detect),
        recover=whole.recover.minus(part.recover),
    )


def _sums(row: Row[Any]) -> Sums:
    detect, recover = Spread.from_json(row.detect), Spread.from_json(row.recover)
    return Sums(row.cause, row.strategy, row.outcome, row.episodes, row.attempts, row.loops, detect, recover)


def _joined(parts: list[Sums]) -> Sums:
    return Sums(
        parts[0].cause,
        parts[0].strategy,
        parts[0].outcome,
        sum(part.episodes for part in parts),
        sum(part.attempts for part in parts),
        sum(part.loops for part in parts),
        joined(part.detect for part in parts),
        joined(part.recover for part in parts),
    )
