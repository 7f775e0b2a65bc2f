"""Liveness of an open session in both directions: alive, quiet, deaf, half-open or outbound-stuck.  Pure.

The five are told apart by which way evidence came, see ``docs/health-score.md``.  Times are seconds since 1970, ages
and limits seconds, probabilities 0 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from actors.health.signals import Signals
from actors.session.vocabulary import State


class Liveness(StrEnum):
    """How an open session is, seen from the evidence."""

    ALIVE = "alive"
    """Both directions work, or nothing speaks against it."""
    QUIET = "quiet"
    """Nothing has arrived for long, or for longer than is usual; the connection is answered.  Not a fault."""
    DEAF = "deaf"
    """Silence is unusual, and test messages do not arrive either; heartbeats are answered."""
    HALF_OPEN = "half_open"
    """Not even heartbeats are answered."""
    OUTBOUND_STUCK = "outbound_stuck"
    """Heartbeats are answered, but what was sent is not acknowledged."""


FAULTS = frozenset({Liveness.DEAF, Liveness.HALF_OPEN, Liveness.OUTBOUND_STUCK})
"""What is an error; alive and quiet are none."""

UNPROVEN_AFTER_S = 120.0
"""Half-open is an open connection without any proof for so long, as of its last sample, whatever its connector says."""
MISSED_HEARTBEATS = 2
"""Unanswered in a row: half-open.  The connectors of this project close at the first."""
STUCK_AFTER_S = 30.0
"""A message that the server has not acknowledged for so long is stuck; it usually takes less than a second."""
QUIET_AFTER_S = 3600.0
"""Silence that is called quiet, however usual it may be."""
UNUSUAL = 1e-3
"""A silence is unusual if one at least so long had a smaller probability by the session's rhythm."""
CANARY_LOST = 0.02
"""Assumed share of canaries that get lost though both sessions are well; on the safe side."""
ENOUGH_MISSED = 2
"""Canaries that have to be missed, however unusual the silence is: a single one may be lost on any holiday."""
DEAF_BELOW = 1e-6
"""Deaf is a session of which what is seen had a smaller probability if it were well."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """What speaks for and against the way in, beyond the signals."""

    silence: float = 1.0
    """Probability, by the session's rhythm, of a silence at least as long as the present one; 1 while that is young."""
    missed: int = 0
    """Canaries within this silence that the server accepted and that did not arrive."""

    @property
    def probability(self) -> float:
        """Of all that is not heard, if the session were well: canaries are arrivals that were expected."""
        return self.silence * CANARY_LOST**self.missed

    @property
    def is_deaf(self) -> bool:
        """Whether it is too improbable, and canaries were missed at all."""
        return self.missed >= ENOUGH_MISSED and self.probability < DEAF_BELOW

    @property
    def unusual(self) -> bool:
        """Whether the silence alone is."""
        return self.silence < UNUSUAL


@dataclass(frozen=True, slots=True)
class Verdict:
    """The liveness of a session."""

    liveness: Liveness
    since: float
    """When this is believed to have begun: for a fault the last proof of the opposite."""
    unusual: bool = False
    """The silence is unusual."""
    evidence: Mapping[str, float | None] = field(default_factory=dict)
    """For events and the API: ages in seconds, the probability of the silence, missed canaries."""

    def to_view(self) -> dict[str, Any]:
        """As plain data, beside the liveness itself."""
        return {
            "since": self.since,
            "unusual": self.unusual,
            "evidence": dict(self.evidence),
        }


NOTHING = Inbound()


def silent_since(signals: Signals) -> float:
    """Since when nothing has come over the delivery path of this connection."""
    return max(signals.since, signals.last_delivery or 0.0)


def judge(signals: Signals, now: float, inbound: Inbound = NOTHING) -> Verdict | None:
    """The verdict as of ``now``; None for a session that is not open, of which there is nothing to judge."""
    if signals.state is not State.OPEN:
        return None
    liveness, since = _judge(signals, now, inbound)
    return Verdict(liveness, since, inbound.unusual, evidence(signals, now, inbound))


def _judge(signals: Signals, now: float, inbound: Inbound) -> tuple[Liveness, float]:
    proven = signals.last_seen or signals.since
    if signals.missed_in_a_row >= MISSED_HEARTBEATS or _is_unproven(signals, proven):
        return Liveness.HALF_OPEN, proven
    if (stuck := _stuck_since(signals)) is not None:
        return Liveness.OUTBOUND_STUCK, stuck
    silent = silent_since(signals)
    if inbound.is_deaf:
        return Liveness.DEAF, silent
    if inbound.unusual or now - silent >= QUIET_AFTER_S:
        return Liveness.QUIET, silent
    return Liveness.ALIVE, signals.since


def _is_unproven(signals: Signals, proven: float) -> bool:
    """As of the last sample: when none comes, or the clock is set, that says nothing about the server."""
    return (
        signals.sampled_at is not None and signals.sampled_at - max(proven, signals.interrupted_at) > UNPROVEN_AFTER_S
    )


def _stuck_since(signals: Signals) -> float | None:
    """As of the last sample: a report that is late says nothing about the server."""
    sent, sampled = signals.unanswered_since, signals.sampled_at
    if sent is None or sampled is None or sampled - max(sent, signals.interrupted_at) < STUCK_AFTER_S:
        return None
    answered = signals.last_in is not None and signals.last_in >= sent
    return sent if answered else None


def evidence(signals: Signals, now: float, inbound: Inbound) -> dict[str, float | None]:
    """What a verdict was made of."""
    return {
        "heartbeatAgeSeconds": _age(signals.last_heartbeat, now),
        "deliveryAgeSeconds": _age(signals.last_delivery, now),
        "acknowledgedAgeSeconds": _age(signals.last_ack, now),
        "unacknowledgedSeconds": _age(signals.unanswered_since, now),
        "silenceSeconds": _age(silent_since(signals), now),
        "silenceProbability": inbound.silence,
        "canariesMissed": inbound.missed,
    }


def _age(at: float | None, now: float) -> float | None:
    return None if at is None else round(max(now - at, 0.0), 1)
