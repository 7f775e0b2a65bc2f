"""How much of a score is backed by fresh evidence, 0 to 1.  ``docs/health-score.md`` has the arithmetic."""

from actors.health.signals import FIVE_MINUTES, HOUR, Signals, latest
from actors.health.weights import Weights
from actors.session.vocabulary import State

RTT_FRESH_S = 60.0
RATING_FRESH_S, RATING_STALE_S = 2 * 86_400.0, 7 * 86_400.0
"""Ages at which a platform's rating counts in full, and not at all: a connector tells it each day, and WhatsApp looks
back seven."""
UNTRIED = 0.5
"""Of the acknowledgements' part, while nothing was sent lately: whether it would be accepted, is not known."""


def falling(value: float, good: float, bad: float) -> float:
    """1 up to ``good``, 0 from ``bad`` on, a straight line between them."""
    return min(1.0, max(0.0, (bad - value) / (bad - good)))


def proof_age(signals: Signals, now: float, stale_s: float) -> float:
    """Age of the proof in the direction where it is older, in seconds; ``stale_s`` without any."""
    if signals.last_in is None or signals.last_out is None:
        return stale_s
    return max(now - min(signals.last_in, signals.last_out), 0.0)


def confidence(signals: Signals, now: float, fresh_s: float, stale_s: float, weights: Weights) -> float:
    """As of ``now``; the weights are those that the session's score has, together 100.

    Each component counts as much as its evidence is fresh: never more, the older any of it is.
    """
    told = latest(signals.sampled_at, signals.since)
    told_fresh = 0.0 if told is None else falling(max(now - told, 0.0), fresh_s, stale_s)
    proven, measured = told_fresh, told_fresh
    if signals.state is State.OPEN:
        proven = falling(proof_age(signals, now, stale_s), fresh_s, stale_s)
        trip = signals.trips[-1].at if signals.trips else None
        measured = 0.0 if trip is None else falling(max(now - trip, 0.0), RTT_FRESH_S, FIVE_MINUTES)
    tried = 0.0 if signals.last_ack is None else falling(max(now - signals.last_ack, 0.0), FIVE_MINUTES, HOUR)
    sending = (UNTRIED + (1 - UNTRIED) * tried) * told_fresh
    backed = weights.connection * proven + weights.latency * measured + weights.acknowledgements * sending
    backed += (weights.errors + weights.stability) * told_fresh
    if signals.platform is not None:
        backed += weights.platform * falling(now - signals.platform.at, RATING_FRESH_S, RATING_STALE_S)
    return round(backed / 100, 2)
