"""The health score: 0 to 100 points from five components or six, each of which says what it saw and how old that is.

The arithmetic is documented, with worked examples, in ``docs/health-score.md``.  Each component is monotone: a worse
signal never gives more points.  Old evidence is worth less: a session that calls itself open without proof is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from actors.connectors.rating import Rating
from actors.health.confidence import (
    RATING_FRESH_S,
    RATING_STALE_S,
    RTT_FRESH_S,
    confidence,
    falling,
    proof_age,
)
from actors.health.liveness import FAULTS, Liveness, Verdict
from actors.health.signals import DAY, FIVE_MINUTES, Signals, Windows, rtt, windows
from actors.health.trips import trend
from actors.health.weights import DEFAULT_WEIGHTS, Weights
from actors.session.inputs.connector import PlatformQuality
from actors.session.vocabulary import State


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a score."""

    points: float
    """0 to ``max``, to one decimal."""
    max: float
    evidence_age_s: float | None
    """Age of the newest thing it was computed from; None if there is none."""
    why: str
    """What it saw, for humans."""


@dataclass(frozen=True, slots=True)
class Score:
    """A session's health."""

    total: int
    """0 to 100."""
    components: Mapping[str, Component]
    capped: str | None = None
    """Why the total is less than the sum of the components."""
    confidence: float = 0.0
    """0 to 1: how much of it is backed by fresh evidence."""


FRESH_S, STALE_S = 45.0, 120.0
"""Proof is worth all until the first age, nothing from the second on: a heartbeat of 10 s is 30 s old at the most
when the next sample arrives."""


@dataclass(frozen=True, slots=True)
class Ageing:
    """How fast proof loses its worth; seconds."""

    fresh_s: float = FRESH_S
    stale_s: float = STALE_S

    @classmethod
    def after(cls, fresh_s: float) -> "Ageing":
        """Another first age; the second keeps its proportion to it."""
        return cls(fresh_s, fresh_s * STALE_S / FRESH_S)


DEFAULT_AGEING = Ageing()
GOOD_RTT_MS, BAD_RTT_MS = 300.0, 3000.0
GOOD_ACK_MS, BAD_ACK_MS = 1000.0, 10_000.0
GOOD_WAIT_S, BAD_WAIT_S = 5.0, 30.0
"""Of the oldest message that the server has not answered."""
RISING, RISEN = 1.5, 4.0
"""Times by which round-trip times grew within a minute that are worth all, and that cost ``RISE_COST``."""
NEGLIGIBLE_RTT_MS, NOTABLE_RTT_MS = 50.0, 150.0
"""Shorter ones may grow; from the second on that they do counts in full."""
RISE_COST = 0.3
"""Share of the latency's points."""
RESTRICTED_SHARE = 0.5
"""Of the acknowledgements' points that an account has at least which WhatsApp restricts: chats that exist go on."""
PRIOR = 5
"""Good messages added to every ratio, so that the first bad one of a quiet session does not count as all of them."""
MOST_MISSED = 5
"""Unanswered heartbeats in 5 minutes that leave no points for errors."""
RATING_SHARES: Mapping[Rating, float] = {Rating.HIGH: 1.0, Rating.MEDIUM: 0.5, Rating.LOW: 0.0}
"""Of the platform's points; a number without a rating has no such component."""
FAILURE_SHARES = (0.2, 0.1, 0.02)
"""Share of the stability points that a failure costs while it is within 5 minutes, 1 hour, 24 hours; they add up."""
CAPS: Mapping[State, int] = {
    State.STARTING: 35,
    State.CONNECTING: 35,
    State.WAITING: 35,
    State.CLOSING: 35,
    State.PAIRING: 20,
    State.HALTED: 10,
    State.PARKED: 10,
    State.BLOCKED: 0,
}
"""Most that a session can have that is not open."""
UNPROVEN_CAP = 35
"""Most that an open session can have whose last proof of life is older than ``STALE_S``, or that is deaf or stuck."""
UNUSUAL_SHARE = 0.85
"""Of the connection's points that are left while nothing arrives for longer than is usual."""
_SAID = {
    Liveness.DEAF: "deaf: not even test messages arrive",
    Liveness.HALF_OPEN: "half-open: heartbeats are not answered",
    Liveness.OUTBOUND_STUCK: "what it sends is not acknowledged",
}
ONE_WAY_CAP = 60
"""Most that an open session can have that works in one direction only."""
RESTRICTED_CAP = 84
"""Most that an open session can have whose account is restricted: not excellent, and no fault of the connection."""
FLAPPING_CAP = 60
"""Most that an open session can have that does not stay open."""
FLAPPING = 3
"""Failures within 5 minutes that mean that."""
MANY = 5
"""Bad messages within an hour that, when they are more than the good ones, mean that a direction does not work."""


def score(
    signals: Signals,
    now: float,
    weights: Weights = DEFAULT_WEIGHTS,
    ageing: Ageing = DEFAULT_AGEING,
    verdict: Verdict | None = None,
    counts: Windows | None = None,
) -> Score | None:
    """The score as of ``now`` (seconds since 1970); None for a stopped session, which is neither well nor ill.

    ``verdict`` is the session's liveness as of ``now``, None where there is nothing to judge; ``counts`` are what
    ``windows`` gives, for who has them already.
    """
    if signals.state is State.STOPPED:
        return None
    counts = counts or windows(signals, now)
    rated = signals.platform if signals.platform is not None and signals.platform.rating in RATING_SHARES else None
    weights = weights.shared(rated=rated is not None)
    components = {
        "connection": _connection(signals, now, weights.connection, ageing, verdict),
        "latency": _latency(signals, now, weights.latency),
        "acknowledgements": _acknowledgements(signals, counts, now, weights.acknowledgements),
        "errors": _errors(signals, counts, now, weights.errors),
        "stability": _stability(signals, counts, now, weights.stability),
    }
    if rated is not None and weights.platform:
        components["platform"] = _platform(rated, now, weights.platform)
    earned = sum(c.points for c in components.values())
    cap, why = _cap(signals, counts, now, ageing, verdict)
    total = int(min(earned, cap) + 0.5)
    backed = confidence(signals, now, ageing.fresh_s, ageing.stale_s, weights)
    return Score(total, components, (why or None) if earned > cap else None, backed)


def _cap(signals: Signals, counts: Windows, now: float, ageing: Ageing, verdict: Verdict | None) -> tuple[float, str]:
    hour = counts.hour
    if signals.state is not State.OPEN:
        return CAPS[signals.state], f"{signals.state.value}: at most {CAPS[signals.state]}"
    if proof_age(signals, now, ageing.stale_s) >= ageing.stale_s:
        return UNPROVEN_CAP, f"open without recent proof: at most {UNPROVEN_CAP}"
    if verdict is not None and verdict.liveness in FAULTS:
        return UNPROVEN_CAP, f"open, but {_SAID[verdict.liveness]}: at most {UNPROVEN_CAP}"
    if hour.undecryptable >= MANY and hour.undecryptable > hour.received:
        return ONE_WAY_CAP, f"open, but most of what arrives is undecryptable: at most {ONE_WAY_CAP}"
    if hour.rejected >= MANY and hour.rejected > hour.acks:
        return ONE_WAY_CAP, f"open, but what we send is refused: at most {ONE_WAY_CAP}"
    if counts.five.failures >= FLAPPING:
        return FLAPPING_CAP, f"open, but it flaps: at most {FLAPPING_CAP}"
    if signals.timelocked or (hour.restricted >= MANY and hour.restricted > hour.acks):
        return RESTRICTED_CAP, f"open, but WhatsApp restricts whom the account may write to: at most {RESTRICTED_CAP}"
    return 100, ""


def _connection(signals: Signals, now: float, most: float, ageing: Ageing, verdict: Verdict | None) -> Component:
    seen = signals.last_seen
    newest = None if seen is None else max(now - seen, 0.0)
    if signals.state is not State.OPEN:
        return _component(0.0, most, newest, f"the session is {signals.state.value}")
    age = proof_age(signals, now, ageing.stale_s)
    worth = falling(age, ageing.fresh_s, ageing.stale_s)
    if verdict is not None and verdict.liveness in FAULTS:
        return _component(0.0, most, age, f"open, but {_SAID[verdict.liveness]}")
    if verdict is not None and verdict.unusual:
        why = f"open, but nothing has arrived since {now - verdict.since:.0f} s, which is unusual"
        return _component(UNUSUAL_SHARE * worth * most, most, age, why)
    if worth >= 1:
        return _component(most, most, age, "open, and proven in both directions")
    return _component(worth * most, most, age, f"open, but the last proof in both directions is {age:.0f} s old")


def _latency(signals: Signals, now: float, most: float) -> Component:
    times = rtt(signals, now)
    if times is None:
        return _component(0.0, most, None, "no round-trip time within 5 minutes")
    age = max(now - signals.trips[-1].at, 0.0)
    share = falling(times[2], GOOD_RTT_MS, BAD_RTT_MS) * falling(age, RTT_FRESH_S, FIVE_MINUTES)
    why = f"95 % of the heartbeats of 5 minutes took at most {times[2]:.0f} ms"
    if (way := trend(signals.trips)) is not None:
        notable = 1 - falling(way.recent_ms, NEGLIGIBLE_RTT_MS, NOTABLE_RTT_MS)
        rise = (1 - falling(way.ratio, RISING, RISEN)) * notable
        share *= 1 - RISE_COST * rise
        why += f", rising: {way.ratio:.1f} times as long as before" if rise > 0 else ""
    return _component(share * most, most, age, why)


def _acknowledgements(signals: Signals, counts: Windows, now: float, most: float) -> Component:
    hour = counts.hour
    age = None if signals.last_ack is None else max(now - signals.last_ack, 0.0)
    waits = _waits(signals)
    tried = hour.acks + hour.rejected
    share = (hour.acks + PRIOR) / (tried + PRIOR)
    slow = signals.ack_p95_ms if tried else None
    # Slow answers cost half at most: they are late, but they are answers.
    pace = 1.0 if slow is None else 0.5 + 0.5 * falling(slow, GOOD_ACK_MS, BAD_ACK_MS)
    # What the account may not send is no failure of its connection, and chats that exist go on.
    asked = hour.acks + hour.restricted + PRIOR
    standing = RESTRICTED_SHARE if signals.timelocked else 1 - (1 - RESTRICTED_SHARE) * hour.restricted / asked
    why = "nothing was sent within an hour, so nothing was refused"
    if tried:
        why = f"{hour.acks} of {tried} messages accepted within an hour"
        why += "" if slow is None else f", 95 % within {slow:.0f} ms"
    why += f", {hour.restricted} refused since the account is restricted" if hour.restricted else ""
    why += ", WhatsApp restricts whom the account may write to" if signals.timelocked else ""
    why += f", one unanswered for {waits:.0f} s" if waits > GOOD_WAIT_S else ""
    return _component(share * pace * standing * falling(waits, GOOD_WAIT_S, BAD_WAIT_S) * most, most, age, why)


def _waits(signals: Signals) -> float:
    """Seconds that the oldest message had waited for an answer when the session told last."""
    if signals.unanswered_since is None or signals.sampled_at is None:
        return 0.0
    return max(0.0, signals.sampled_at - signals.unanswered_since)


def _errors(signals: Signals, counts: Windows, now: float, most: float) -> Component:
    hour, missed = counts.hour, counts.five.missed
    seen = [t for t in (signals.last_received, signals.last_undecryptable, signals.sampled_at) if t is not None]
    age = max(now - max(seen), 0.0) if seen else None
    arrived = hour.received + hour.undecryptable
    readable = (hour.received + PRIOR) / (arrived + PRIOR)
    heard = max(0.0, 1 - missed / MOST_MISSED)
    why = f"{hour.undecryptable} of {arrived} messages undecryptable within 1 h, {missed} heartbeats missed in 5 min"
    return _component(readable * heard * most, most, age, why)


def _stability(signals: Signals, counts: Windows, now: float, most: float) -> Component:
    five, hour, day = (window.failures for window in (counts.five, counts.hour, counts.day))
    cost = min(1.0, sum(count * share for count, share in zip((five, hour, day), FAILURE_SHARES, strict=True)))
    age = None if signals.last_failure is None else max(now - signals.last_failure, 0.0)
    causes = counts.day.disconnects
    mostly = f", mostly {max(causes, key=lambda cause: (causes[cause], cause))}" if causes else ""
    why = f"{five} failures within 5 minutes, {hour} within 1 h, {day} within 24 h{mostly}"
    return _component((1 - cost) * most, most, age, why)


def _platform(rated: PlatformQuality, now: float, most: float) -> Component:
    age = max(now - rated.at, 0.0)
    share = RATING_SHARES[rated.rating] * falling(age, RATING_FRESH_S, RATING_STALE_S)
    why = f"the platform rates the number {rated.rating}"
    why += f", as it told {age / DAY:.0f} days ago" if age > RATING_FRESH_S else ""
    return _component(share * most, most, age, why)


def _component(points: float, most: float, age: float | None, why: str) -> Component:
    return Component(round(points, 1), round(most, 1), None if age is None else round(age, 1), why)
