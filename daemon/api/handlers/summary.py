"""The health of the fleet at a glance."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import get_args

from actors.health.liveness import Liveness
from daemon.api import models, requests
from daemon.api.call import Call, Reply
from daemon.api.models_summary import HealthSummary, Lowest, Unproven
from daemon.backend import SessionLive, SessionRecord

LOWEST = 5
"""Sessions with the lowest scores."""
UNPROVEN = 10
"""Sessions without fresh evidence that are named."""
FRESH_S = 60.0
"""Seconds: heartbeats are answered each 10 s, and told at most 15 s later."""

Pair = tuple[SessionRecord, SessionLive]


async def health_summary(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """The fleet at a glance."""
    problems = call.backend.accounts.storage().problems
    pairs = ((record, call.backend.live(record.id)) for record in call.backend.records().values())
    return Reply(summarise(pairs, problems, time.time()))


def summarise(sessions: Iterable[Pair], problems: Sequence[str], now: float) -> HealthSummary:
    """Counts and scores of sessions as of ``now``, seconds since 1970.  Pure."""
    pairs = list(sessions)
    status: Counter[str] = Counter(dict.fromkeys(get_args(models.Status), 0))
    quality: Counter[str] = Counter(dict.fromkeys((*get_args(models.Quality), "unknown"), 0))
    liveness: Counter[str] = Counter(dict.fromkeys(map(str, Liveness), 0))
    causes: Counter[str] = Counter()
    for _, live in pairs:
        status[live.status] += 1
        quality[live.quality or "unknown"] += 1
        causes.update(live.disconnects_by.get("1h", {}))
        if live.liveness is not None:
            liveness[live.liveness] += 1
    scored = [(live.score, record, live) for record, live in pairs if live.score is not None]
    scored.sort(key=lambda item: (item[0], item[1].id))
    trusted = [live.confidence for _, live in pairs if live.confidence is not None]
    return HealthSummary(
        total=len(pairs),
        by_status=dict(status),
        by_quality=dict(quality),
        by_liveness=dict(liveness),
        mean_score=round(sum(score for score, _, _ in scored) / len(scored), 1) if scored else None,
        mean_confidence=round(sum(trusted) / len(trusted), 2) if trusted else None,
        lowest=[
            Lowest(
                session_id=record.id,
                health_score=score,
                connection_quality=live.quality,
                status=live.status,
            )
            for score, record, live in scored[:LOWEST]
        ],
        disconnects_last_hour=dict(causes.most_common()),
        without_fresh_evidence=_unproven(pairs, now),
        problems=list(problems),
    )


def _unproven(pairs: Iterable[Pair], now: float) -> Unproven:
    old = [
        (live.last_seen or 0.0, record.id)
        for record, live in pairs
        if live.state == "open" and now - (live.last_seen or 0.0) > FRESH_S
    ]
    return Unproven(total=len(old), session_ids=[id for _, id in sorted(old)[:UNPROVEN]])
