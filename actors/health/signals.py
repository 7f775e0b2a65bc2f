"""What is known of one session's health: counts in rolling windows, round-trip times, and when there was proof.

Counts are kept in buckets of a minute for the last hour and of an hour for the last day, so a window of 5 minutes may
see up to a minute more, and one of 24 hours up to an hour more.  Times are seconds since 1970.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from actors.health.counts import Bucket, Counts, put, total, united
from actors.health.trips import Trip, weighted
from actors.session.causes import Cause
from actors.session.change import Change, is_failure
from actors.session.inputs.connector import MessageCap, PlatformQuality
from actors.session.sample import Sample
from actors.session.vocabulary import State

FIVE_MINUTES, HOUR, DAY = 300.0, 3600.0, 86_400.0
_MINUTE = 60.0
INTERRUPTED_S = 120.0
"""Seconds between two samples of a session, which sends one each 10 s, that show that its clock was set."""


@dataclass(frozen=True, slots=True)
class Signals:
    """All that health knows of a session."""

    state: State = State.STARTING
    since: float = 0.0
    cause: Cause | None = None
    """The last trouble."""
    down_since: float | None = None
    """Not open since; None while it is."""
    timelocked: bool = False
    timelocked_until: float | None = None
    new_chats: MessageCap | None = None
    platform: PlatformQuality | None = None
    """How the platform rates the number; None: it does not, or nobody can tell."""
    missed_in_a_row: int = 0
    reconnect_attempts: int = 0
    next_attempt_at: float | None = None
    """While it waits, as of the last sample."""
    sampled_at: float | None = None
    interrupted_at: float = 0.0
    """When a sample last took so long that the clock was set or the session stood still, or told of another state than
    was heard of so far: ages across it are none."""
    minutes: tuple[Bucket, ...] = ()
    hours: tuple[Bucket, ...] = ()
    trips: tuple[Trip, ...] = ()
    """Of the last 5 minutes of this connection."""
    ack_p95_ms: float | None = None
    """Of the last sample that had acknowledgements."""
    last_in: float | None = None
    """When the server last said anything."""
    last_out: float | None = None
    """When it last proved that it got something of ours."""
    last_ack: float | None = None
    last_received: float | None = None
    last_undecryptable: float | None = None
    last_heartbeat: float | None = None
    """When a heartbeat was last answered."""
    last_delivery: float | None = None
    """When the server's delivery path last brought anything."""
    unanswered_since: float | None = None
    """When the oldest message was sent that the server has not answered."""
    last_failure: float | None = None

    @property
    def last_seen(self) -> float | None:
        """The last proof of life from the server's side."""
        return latest(self.last_in, self.last_out)


_TIMES = (
    "last_in",
    "last_out",
    "last_ack",
    "last_received",
    "last_undecryptable",
    "last_heartbeat",
    "last_delivery",
    "last_failure",
)


def fold(signals: Signals, news: Sample | Change, now: float) -> Signals:
    """The signals after a sample or a transition.  A sample that was folded already changes nothing."""
    if isinstance(news, Change):
        return _changed(signals, news, now)
    if signals.sampled_at is not None and news.at <= signals.sampled_at:
        set_back = news.at < news.since or signals.sampled_at > now
        if news.at == signals.sampled_at or not set_back:
            return signals
        signals = _rebased(signals, now)
    return _sampled(signals, news, now)


def _rebased(signals: Signals, now: float) -> Signals:
    """After the clock was set back: what seems to lie in the future is not fresh for so long, but of now."""
    times = {name: getattr(signals, name) for name in _TIMES}
    return replace(
        signals,
        **{name: min(at, now) for name, at in times.items() if at is not None},
        trips=tuple(trip for trip in signals.trips if trip.at <= now),
    )


def remember(signals: Signals, minutes: Iterable[Bucket], hours: Iterable[Bucket]) -> Signals:
    """The signals with what was counted before they began."""
    return replace(signals, minutes=united(minutes, signals.minutes), hours=united(hours, signals.hours))


def window(signals: Signals, seconds: float, now: float) -> Counts:
    """The counts of the last ``seconds``: up to ``HOUR`` by the minute, beyond it by the hour, up to ``DAY``."""
    buckets, width = (signals.minutes, _MINUTE) if seconds <= HOUR else (signals.hours, HOUR)
    return total(b.counts for b in buckets if b.number >= int((now - seconds) // width))


@dataclass(frozen=True, slots=True)
class Windows:
    """The counts of the last 5 minutes, hour and day."""

    five: Counts
    hour: Counts
    day: Counts


def windows(signals: Signals, now: float) -> Windows:
    """All three, each added up once."""
    return Windows(*(window(signals, seconds, now) for seconds in (FIVE_MINUTES, HOUR, DAY)))


def rtt(signals: Signals, now: float) -> tuple[float, float, float] | None:
    """Last, median and 95th percentile of the round-trip times of the last 5 minutes, in ms; None without any.

    The percentiles are those of the samples' own, weighted by their heartbeats: exact while a sample has one heartbeat.
    """
    trips = [t for t in signals.trips if t.at > now - FIVE_MINUTES]
    if not trips:
        return None
    return trips[-1].p50_ms, weighted(trips, 0.5, "p50_ms"), weighted(trips, 0.95, "p95_ms")


def latest(*times: float | None) -> float | None:
    """The latest of times that may be unknown."""
    return max((t for t in times if t is not None), default=None)


def _changed(signals: Signals, change: Change, now: float) -> Signals:
    if change.cause is not None and is_failure(change):
        signals = _count(signals, Counts(disconnects={change.cause: 1}), change.at, now)
        signals = replace(signals, last_failure=latest(signals.last_failure, change.at))
    opened = change.state is State.OPEN
    was_open = signals.state is State.OPEN or signals.down_since is None
    return replace(
        signals,
        state=change.state,
        since=change.at if change.state is not signals.state else signals.since,
        cause=change.cause or signals.cause,
        down_since=None if opened else (change.at if was_open else signals.down_since),
        # A new connection has yet to be measured; that it opened is proof in both directions.
        trips=() if opened and signals.state is not State.OPEN else signals.trips,
        unanswered_since=signals.unanswered_since if signals.state is change.state else None,
        missed_in_a_row=0 if opened else signals.missed_in_a_row,
        next_attempt_at=None,
        new_chats=None if change.state is State.PAIRING else signals.new_chats,  # the next account's is not this one's
        last_in=latest(signals.last_in, change.at if opened else None),
        last_out=latest(signals.last_out, change.at if opened else None),
    )


def _sampled(signals: Signals, sample: Sample, now: float) -> Signals:
    counts = Counts(
        heartbeats=sample.heartbeats,
        missed=sample.heartbeats_missed,
        acks=sample.acks,
        receipts=sample.receipts,
        received=sample.received,
        undecryptable=sample.undecryptable,
        nacks=dict(sample.nacks),
    )
    interrupted = sample.at - sample.since > INTERRUPTED_S or sample.state != signals.state
    trips = tuple(t for t in signals.trips if t.at > now - FIVE_MINUTES)
    if sample.rtt_p50_ms is not None and sample.rtt_p95_ms is not None:
        trips = (*trips, Trip(sample.at, sample.heartbeats, sample.rtt_p50_ms, sample.rtt_p95_ms))
    return replace(
        _count(signals, counts, sample.at, now),
        timelocked=sample.timelocked,
        timelocked_until=sample.timelocked_until,
        new_chats=sample.new_chats or signals.new_chats,
        platform=sample.platform,
        missed_in_a_row=sample.missed_in_a_row,
        reconnect_attempts=sample.reconnect_attempts,
        next_attempt_at=sample.next_attempt_at if sample.state == signals.state else None,
        sampled_at=sample.at,
        interrupted_at=sample.at if interrupted else signals.interrupted_at,
        trips=trips,
        ack_p95_ms=signals.ack_p95_ms if sample.ack_p95_ms is None else sample.ack_p95_ms,
        last_in=latest(signals.last_in, sample.last_in),
        last_out=latest(signals.last_out, sample.last_out),
        last_ack=latest(signals.last_ack, sample.last_ack),
        last_received=latest(signals.last_received, sample.last_received),
        last_undecryptable=sample.at if sample.undecryptable else signals.last_undecryptable,
        last_heartbeat=latest(signals.last_heartbeat, sample.last_heartbeat),
        last_delivery=latest(signals.last_delivery, sample.last_delivery),
        unanswered_since=sample.unanswered_since,
    )


def _count(signals: Signals, counts: Counts, at: float, now: float) -> Signals:
    if counts == Counts():
        return signals
    return replace(
        signals,
        minutes=put(signals.minutes, counts, at, _MINUTE, now - HOUR),
        hours=put(signals.hours, counts, at, HOUR, now - DAY),
    )
