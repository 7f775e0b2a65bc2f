"""Reading the history of a session: which step, which rows, and the points that they come to.  Pure.

Steps are seconds, ``RAW`` is what was observed.  The buckets of a step begin at multiples of it since 1970, in UTC.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from actors.health.history.entries import Entry, tidy
from actors.health.history.packing import unpack_entries, unpack_rollup
from actors.health.history.rollups import Rollup, Sum, roll_up
from actors.store.history_queries import Level, Progress

RAW = 0
MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS = (RAW, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY)
"""One of these is chosen for who names none."""
ENOUGH_POINTS = 500
"""More are not chosen for who names no step."""
MOST_POINTS = 1500
"""For who does."""
OBSERVED_EACH = 10
"""Seconds, about, between what is observed."""
LONGEST_RAW = 4 * HOUR
MOST_ROWS = 20_000
"""That are read for one answer."""
SHORTEST_GAP_MS = 1000

Wanted = tuple[Level, int, int]
"""The rows of a level from a first to a last bucket."""
Rows = Mapping[Level, Sequence[tuple[int, bytes]]]


class BadRange(Exception):
    """What was asked for can't be answered."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter
        """from, to or step"""


@dataclass(frozen=True, slots=True)
class Range:
    """What is asked for: buckets of ``step`` from ``since`` to before ``until``, in seconds since 1970."""

    since: int
    until: int
    step: int


@dataclass(frozen=True, slots=True)
class Point:
    """A stretch of a session's life."""

    at: float
    """When it begins; seconds since 1970."""
    rollup: Rollup


@dataclass(frozen=True, slots=True)
class Series:
    """The answer."""

    range: Range
    complete_until: float
    """What is later than that is not written yet; seconds since 1970."""
    points: tuple[Point, ...]
    gaps: tuple[tuple[float, float], ...]
    """Stretches before ``complete_until`` in which nobody watched the session, or of which nothing is kept."""


def resolve(since: float, until: float, step: int | None, now: float, keep: Mapping[Level, float]) -> Range:
    """The range that is meant, on whole buckets; without a step one that gives not too many points.

    Raises BadRange.
    """
    if not since < until:
        raise BadRange("from", "from must be earlier than to")
    if since >= now:
        raise BadRange("from", "from lies in the future")
    span = until - since
    if step is None:
        step = next((s for s in STEPS if _fits(span, s, now - since, keep)), STEPS[-1])
    elif step and step % MINUTE:
        raise BadRange("step", "a step is raw, or a whole number of minutes, such as 1m, 15m, 1h or 1d")
    elif not step and span > LONGEST_RAW:
        raise BadRange("step", "raw is for 4 hours at most: ask for less, or for step=1m")
    if step and span / step > MOST_POINTS:
        least = MINUTE * math.ceil(span / MOST_POINTS / MINUTE)
        raise BadRange("step", f"that is more than {MOST_POINTS} points: ask for a step of {least // MINUTE}m or more")
    width = step or 1
    return Range(int(since // width) * width, math.ceil(until / width) * width, step)


def _fits(span: float, step: int, age: float, keep: Mapping[Level, float]) -> bool:
    return span / (step or OBSERVED_EACH) <= ENOUGH_POINTS and age <= keep[level_of(step)]


def level_of(step: int) -> Level:
    """The finest level that a step needs."""
    if step == RAW:
        return Level.RAW
    if step % HOUR:
        return Level.MINUTE
    return Level.HOUR if step % DAY else Level.DAY


def wanted(range_: Range, levels: Mapping[Level, Progress]) -> list[Wanted]:
    """The rows to read.  What is not rolled up yet is read from the finer level.

    Raises BadRange if they are too many.
    """
    level = level_of(range_.step)
    minute, hour, day = (levels.get(one, Progress(0)) for one in (Level.MINUTE, Level.HOUR, Level.DAY))
    if level is Level.RAW:
        found = [_part(Level.RAW, range_.since // MINUTE, -(-range_.until // MINUTE), levels)]
    else:
        first, end = range_.since // MINUTE, -(-range_.until // MINUTE)
        found = []
        if level is Level.DAY:
            rolled = min(end, day.upto * DAY // MINUTE)
            found.append(_part(Level.DAY, first // 1440, -(-rolled // 1440), levels))
            first = max(first, rolled)
        if level is not Level.MINUTE:
            rolled = min(end, hour.upto * HOUR // MINUTE)
            found.append(_part(Level.HOUR, first // 60, -(-rolled // 60), levels))
            first = max(first, rolled)
        found.append(_part(Level.MINUTE, first, min(end, max(minute.upto, first)), levels))
    if sum(max(0, last - first + 1) for _, first, last in found) > MOST_ROWS:
        raise BadRange("step", "that needs too many roll-ups by the minute: ask for less, or for a step in whole hours")
    return [part for part in found if part[1] <= part[2]]


def _part(level: Level, first: int, end: int, levels: Mapping[Level, Progress]) -> Wanted:
    return level, max(first, levels.get(level, Progress(0)).kept_from), end - 1


def series(range_: Range, rows: Rows, levels: Mapping[Level, Progress]) -> Series:
    """The points that rows come to, and where there are none."""
    complete = float(levels.get(Level.MINUTE, Progress(0)).upto * MINUTE)
    end = min(float(range_.until), complete)
    if range_.step == RAW:
        entries = [
            entry
            for minute, data in rows.get(Level.RAW, ())
            for entry in tidy(unpack_entries(minute, data))
            if range_.since * 1000 < entry.at <= range_.until * 1000
        ]
        points = tuple(Point((entry.at - entry.ms) / 1000, roll_up([entry])) for entry in entries)
        return Series(range_, complete, points, tuple(_unwatched(entries, range_.since, end)))
    sums: dict[int, Sum] = {}
    for level, found in rows.items():
        width = {Level.MINUTE: MINUTE, Level.HOUR: HOUR, Level.DAY: DAY}[level]
        for bucket, data in found:
            at = bucket * width // range_.step * range_.step
            sums.setdefault(at, Sum()).add(unpack_rollup(data))
    points = tuple(Point(float(at), sums[at].total()) for at in sorted(sums))
    return Series(range_, complete, points, tuple(_empty(sums.keys(), range_, end)))


def _unwatched(entries: Iterable[Entry], since: float, end: float) -> Iterable[tuple[float, float]]:
    seen = since * 1000
    for entry in entries:
        if entry.ms and entry.status is not None:
            if entry.at - entry.ms - seen >= SHORTEST_GAP_MS:
                yield seen / 1000, (entry.at - entry.ms) / 1000
            seen = max(seen, entry.at)
    if end * 1000 - seen >= SHORTEST_GAP_MS:
        yield seen / 1000, end


def _empty(known: Iterable[int], range_: Range, end: float) -> Iterable[tuple[float, float]]:
    seen = range_.since
    for at in sorted(known):
        if at > seen:
            yield float(seen), float(at)
        seen = at + range_.step
    if end > seen:
        yield float(seen), end
