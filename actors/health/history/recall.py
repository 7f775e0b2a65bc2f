"""What a fresh health actor reads of the last day: who flapped before a restart would look stable after it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from actors.health.counts import Bucket, Counts, total
from actors.health.history.packing import unpack_rollup
from actors.health.history.rollups import Rollup
from actors.session.causes import Cause, cause_named
from actors.store import history_queries as queries
from actors.store.direct import Operation, Statements
from actors.store.history_queries import Level, Progress

AN_HOUR, A_DAY = 60, 24
"""Minutes, hours."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was counted of a session before the actor was started."""

    minutes: tuple[Bucket, ...]
    """Of the last hour."""
    hours: tuple[Bucket, ...]
    """Of the last day."""


def recall(before: int, sessions: tuple[int, int]) -> Operation[Mapping[int, Recalled]]:
    """Reads what is written of the minutes before ``before``, of sessions whose numbers are in a range, by number."""

    async def operation(conn: Statements) -> Mapping[int, Recalled]:
        hour = before // AN_HOUR
        rolled = min((await queries.load_levels(conn)).get(Level.HOUR, Progress(0)).upto, hour)
        first = min(before - AN_HOUR, max(rolled, hour - A_DAY) * AN_HOUR)
        minutes: defaultdict[int, list[Bucket]] = defaultdict(list)
        hours: defaultdict[int, list[Bucket]] = defaultdict(list)
        for bucket, number, data in await queries.rows_between(conn, Level.MINUTE, first, before - 1, sessions):
            counts = _counts(unpack_rollup(data))
            if bucket >= before - AN_HOUR:
                minutes[number].append(Bucket(bucket, counts))
            if bucket // AN_HOUR >= rolled:
                hours[number].append(Bucket(bucket // AN_HOUR, counts))
        for bucket, number, data in await queries.rows_between(conn, Level.HOUR, hour - A_DAY, rolled - 1, sessions):
            hours[number].append(Bucket(bucket, _counts(unpack_rollup(data))))
        return {number: Recalled(tuple(minutes[number]), _joined(found)) for number, found in hours.items()}

    return operation


def _joined(buckets: Iterable[Bucket]) -> tuple[Bucket, ...]:
    parts: defaultdict[int, list[Counts]] = defaultdict(list)
    for bucket in buckets:
        parts[bucket.number].append(bucket.counts)
    return tuple(Bucket(number, total(parts[number])) for number in sorted(parts))


def _counts(rollup: Rollup) -> Counts:
    causes = ((cause_named(name) or Cause.UNKNOWN, count) for name, count in rollup.disconnects.items())
    return Counts(
        heartbeats=rollup.heartbeats,
        missed=rollup.missed,
        acks=rollup.acks,
        receipts=rollup.receipts,
        received=rollup.received,
        undecryptable=rollup.undecryptable,
        nacks=dict(rollup.nacks),
        disconnects=dict(causes),
    )
