"""What the API and the metrics are shown of a session's health: plain data, in the database and in the deltas."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from actors.health.counts import Counts, undecryptable_share
from actors.health.liveness import Verdict
from actors.health.score import Ageing, score
from actors.health.signals import Signals, Windows, rtt, windows
from actors.health.status import status
from actors.health.trips import trend
from actors.health.weights import Weights
from actors.session.sample import Sample

COUNTS = (
    "sent",
    "acknowledged",
    "failed",
    "received",
    "undecryptable",
    "heartbeats",
    "heartbeatsMissed",
    "disconnects",
)


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted of a session over all its life."""

    counts: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))

    def plus(self, sample: Sample) -> "Totals":
        """The totals after a sample."""
        refused = sum(sample.nacks.values())
        more = {
            "sent": sample.acks + refused,
            "acknowledged": sample.acks,
            "failed": refused,
            "received": sample.received,
            "undecryptable": sample.undecryptable,
            "heartbeats": sample.heartbeats,
            "heartbeatsMissed": sample.heartbeats_missed,
            "disconnects": sample.disconnects,
        }
        return Totals({name: self.counts.get(name, 0) + more[name] for name in COUNTS})


@dataclass(frozen=True, slots=True)
class Scoring:
    """How scores are made of signals."""

    weights: Weights
    ageing: Ageing


def view(
    signals: Signals, totals: Totals, parked: bool, now: float, scoring: Scoring, verdict: Verdict | None
) -> dict[str, Any]:
    """The view without its quality, which has a memory.  ``score`` is None for a session that is stopped."""
    counts = windows(signals, now)
    times, way = rtt(signals, now), trend(signals.trips)
    result: dict[str, Any] = {
        "status": "error" if parked else str(status(signals, now, None if verdict is None else verdict.liveness)),
        "liveness": None if verdict is None or parked else str(verdict.liveness),
        "livenessDetail": None if verdict is None or parked else verdict.to_view(),
        "parked": parked,
        "checkedAt": now,
        "lastSeen": signals.last_seen,
        "downSince": signals.down_since,
        "nextAttemptAt": signals.next_attempt_at,
        "errorCount": counts.day.failures + counts.day.refused,
        "rttMs": _times(times),
        "rttTrend": None if way is None else round(way.ratio, 2),
        "undecryptableShare": undecryptable_share(counts.hour),
        "refused": {str(code): count for code, count in sorted(counts.hour.nacks.items())},
        "disconnectsBy": _disconnects(counts),
        "timelocked": signals.timelocked,
        "timelockedUntil": signals.timelocked_until,
        "newChats": None if signals.new_chats is None else asdict(signals.new_chats),
        "platformQuality": None if signals.platform is None else asdict(signals.platform),
        "counts": dict(totals.counts),
        "score": None,
        "confidence": None,
        "components": {},
    }
    computed = score(signals, now, scoring.weights, scoring.ageing, verdict, counts)
    if computed is not None:
        result["score"] = 0 if parked else computed.total
        result["confidence"] = computed.confidence
        result["capped"] = "parked after crashes" if parked else computed.capped
        result["components"] = {
            name: {"points": c.points, "max": c.max, "evidenceAgeSeconds": c.evidence_age_s, "why": c.why}
            for name, c in computed.components.items()
        }
    return result


def _times(times: tuple[float, float, float] | None) -> dict[str, float]:
    return {} if times is None else {k: round(t, 1) for k, t in zip(("last", "p50", "p95"), times, strict=True)}


def _disconnects(counts: Windows) -> dict[str, dict[str, int]]:
    """By window, then cause; windows without any are left out."""
    by_window: dict[str, Counts] = {"5m": counts.five, "1h": counts.hour, "24h": counts.day}
    return {
        name: {str(cause): count for cause, count in sorted(found.disconnects.items())}
        for name, found in by_window.items()
        if found.disconnects
    }
