"""The past of a session."""

import time

from actors.health.history.reading import Point, Series
from actors.health.history.rollups import percentile
from config.durations import format_duration
from daemon.api import models_history as models
from daemon.api.call import Call, Reply
from daemon.api.requests import NoBody
from daemon.api.requests_history import RAW, HistoryQuery

USUAL = 86_400.0
"""Seconds back, for who does not say how far."""


async def history(call: Call[HistoryQuery, NoBody]) -> Reply:
    """What was observed of a session, or its roll-ups."""
    session = call.session.id
    query = call.query
    until = time.time() if query.to is None else query.to
    since = until - USUAL if query.from_ is None else query.from_
    return Reply(render(session, await call.backend.history.read(session, since, until, query.step)))


def render(session: str, series: Series) -> models.History:
    """As the API answers it.  Pure."""
    asked = series.range
    return models.History(
        session_id=session,
        from_=asked.since,
        to=asked.until,
        step=format_duration(asked.step) if asked.step else RAW,
        complete_until=series.complete_until or None,
        points=[_point(point) for point in series.points],
        gaps=[models.HistoryGap(from_=since, to=until) for since, until in series.gaps],
    )


def _point(point: Point) -> models.HistoryPoint:
    of = point.rollup
    score = None
    if of.score_min is not None and of.score_max is not None and of.score_mean is not None:
        score = models.Scores(min=of.score_min, mean=round(of.score_mean, 1), max=of.score_max)
    times = {name: percentile(of.trips, share) for name, share in (("p50", 0.5), ("p95", 0.95))}
    return models.HistoryPoint(
        at=point.at,
        seconds=round(of.watched_ms / 1000, 3),
        status={status.value: round(ms / 1000, 3) for status, ms in of.statuses.items()},
        quality={quality.value: round(ms / 1000, 3) for quality, ms in of.qualities.items()},
        score=score,
        round_trip_ms={name: round(ms, 1) for name, ms in times.items() if ms is not None},
        heartbeats=of.heartbeats,
        heartbeats_missed=of.missed,
        acknowledged=of.acks,
        refused={str(code): count for code, count in sorted(of.nacks.items())},
        receipts=of.receipts,
        received=of.received,
        undecryptable=of.undecryptable,
        disconnects=dict(sorted(of.disconnects.items())),
        last_cause=None if of.last_cause is None else of.last_cause[1],
    )
