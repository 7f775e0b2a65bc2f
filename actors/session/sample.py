"""What happened to a session between two heartbeats, folded into one small record that travels with the heartbeat.

State changes are not in it: they travel at once, as transitions.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from actors.recovery.plans import DEFAULT_POLICY
from actors.session.causes import Cause, classify
from actors.session.inputs import connector, host
from actors.session.inputs.event import Event
from actors.session.state import SessionState

MOST_TIMES = 512
"""Durations that are kept for percentiles; of more, the latest."""
MOST_UNANSWERED = 256
"""Messages whose acknowledgement is awaited; no connector takes more."""
_NO_DISCONNECT = frozenset({Cause.CLOSED_BY_US, Cause.INTENTIONAL_LOGOUT, Cause.PAIRING_EXPIRED, Cause.FENCED})


@dataclass(frozen=True, slots=True)
class Sample:
    """Counts are since the sample before; times are seconds since 1970, durations milliseconds."""

    since: float
    """The time of the sample before, or of the start of the actor."""
    at: float
    state: str
    proxy: str | None = None
    """Mark of the proxy that it is to go through, as it knows; None: none."""
    policy: tuple[float, float] = DEFAULT_POLICY.configured
    """What is configured of the policy by which it plans for itself, as it knows."""
    opened_at: float | None = None
    reconnect_attempts: int = 0
    next_attempt_at: float | None = None
    timelocked: bool = False
    """WhatsApp restricts what the account may send."""
    timelocked_until: float | None = None
    new_chats: connector.MessageCap | None = None
    """How many new chats it may begin, as WhatsApp told last."""
    platform: connector.PlatformQuality | None = None
    """How the platform rates the number; None: it does not, or the connector can't tell."""

    heartbeats: int = 0
    """Answered ones; each is a round-trip time."""
    heartbeats_missed: int = 0
    missed_in_a_row: int = 0
    """Unanswered ones since the last answered one, also of earlier samples."""
    rtt_last_ms: float | None = None
    """None as long as nothing was measured on this connection."""
    rtt_p50_ms: float | None = None
    """None without a heartbeat in this sample, as is p95."""
    rtt_p95_ms: float | None = None

    acks: int = 0
    """Messages of ours that the server accepted."""
    ack_p95_ms: float | None = None
    nacks: Mapping[int, int] = field(default_factory=dict)
    """Messages that it refused, by error code."""
    receipts: int = 0
    received: int = 0
    undecryptable: int = 0
    heard: int = 0
    """Other signs of the server's delivery path; a connector tells of some only."""
    disconnects: int = 0
    """Connections that ended, and not because we closed them."""

    last_in: float | None = None
    """When the server last said anything."""
    last_out: float | None = None
    """When it last proved that it got something of ours: an answered heartbeat, an acknowledgement, a receipt."""
    last_ack: float | None = None
    last_received: float | None = None
    """When an inbound message was last decrypted."""
    last_heartbeat: float | None = None
    """When a heartbeat was last answered: proof of the connection, and of nothing behind it."""
    last_delivery: float | None = None
    """When the server's delivery path last brought anything: a message, a receipt, a notification."""
    unanswered_since: float | None = None
    """When the oldest message was sent that the server has not answered, and no later one either; None without one."""


class Folder:
    """Folds events until a sample is taken.  It has no clock: ``now`` is in seconds since 1970."""

    def __init__(self, now: float | None = None) -> None:
        self._since = now
        self._last_in: float | None = None
        self._last_out: float | None = None
        self._last_ack: float | None = None
        self._last_received: float | None = None
        self._last_heartbeat: float | None = None
        self._last_delivery: float | None = None
        self._unanswered: dict[str, float] = {}
        """Message id -> when it was first sent on this connection, in that order."""
        self._rtt_last: float | None = None
        self._missed_in_a_row = 0
        self._timelocked_until: float | None = None
        self._new_chats: connector.MessageCap | None = None
        self._rates = False
        self._platform: connector.PlatformQuality | None = None
        self._clear()

    def _clear(self) -> None:
        self._counts: Counter[type[Event]] = Counter()
        self._rtts: deque[float] = deque(maxlen=MOST_TIMES)
        self._acks: deque[float] = deque(maxlen=MOST_TIMES)
        self._nacks: Counter[int] = Counter()
        self._disconnects = 0

    def fold(self, event: Event, now: float) -> None:
        """Count an event; those that say nothing about health change nothing."""
        if self._since is None:
            self._since = now
        self._standing(event, now)
        self._path(event, now)
        match event:
            case host.LinkUp(phase="open") | connector.Opened():
                self._last_in = self._last_out = now
            case connector.Rtt(ms=ms):
                self._rtts.append(ms)
                self._rtt_last = ms
                self._missed_in_a_row = 0
                self._last_in = self._last_out = now
            case connector.HeartbeatMissed():
                self._missed_in_a_row += 1
            case connector.Ack(error=error, ms=ms):
                self._last_in = self._last_out = now
                self._ack(error, ms, now)
            case connector.Receipt():
                self._last_in = self._last_out = now
            case connector.Received():
                self._last_in = self._last_received = now
            case connector.Undecryptable() | connector.Heard():
                self._last_in = now
            case connector.Closed():
                self._missed_in_a_row, self._rtt_last = 0, None
                self._disconnects += classify(event.code, event.reason, event.data) not in _NO_DISCONNECT
            case _:
                return
        self._counts[type(event)] += 1

    def _path(self, event: Event, now: float) -> None:
        """Which way the event proves, or leaves open."""
        match event:
            case connector.Rtt():
                self._last_heartbeat = now
            case connector.Receipt() | connector.Received() | connector.Undecryptable() | connector.Heard():
                self._last_delivery = now
            case connector.Sent(message_id=sent):
                if len(self._unanswered) < MOST_UNANSWERED:
                    self._unanswered.setdefault(sent, now)
            case connector.Ack(message_id=answered):
                self._answered(answered)
            case connector.Closed():
                self._unanswered.clear()

    def _answered(self, message_id: str) -> None:
        """What was sent before an answered message is not waited for: the way out works, that one was lost."""
        if message_id in self._unanswered:
            for sent in list(self._unanswered):
                del self._unanswered[sent]
                if sent == message_id:
                    return

    @property
    def heard_at(self) -> float | None:
        """When the server last said anything, in seconds since 1970."""
        return self._last_in

    def _standing(self, event: Event, now: float) -> None:
        match event:
            case connector.Timelock():
                self._timelocked_until = event.until if event.active else None
            case connector.MessageCap():
                self._new_chats = event
            case connector.Paired():
                self._timelocked_until = self._new_chats = self._platform = None  # perhaps another account
            case host.LinkUp(rates=rates, rated=rated):
                self._rates = rates
                # a process that was just started has yet to ask
                self._platform = self._believed(rated or self._platform, now)
            case connector.PlatformQuality():
                self._platform = self._believed(event, now)

    def _believed(self, told: connector.PlatformQuality | None, now: float) -> connector.PlatformQuality | None:
        """What counts of a rating: nothing of who does not say that it tells any; its time is one that was."""
        if told is None or not self._rates:
            return None
        return connector.PlatformQuality(told.rating, max(0.0, min(told.at, now)))

    def _ack(self, error: int | None, ms: float, now: float) -> None:
        if error is None:
            self._acks.append(ms)
            self._last_ack = now
        else:
            self._nacks[error] += 1

    def take(self, state: SessionState, now: float) -> Sample:
        """The sample up to now; the next one begins here."""
        sample = Sample(
            since=now if self._since is None else self._since,
            at=now,
            state=state.state.value,
            proxy=None if state.proxy is None else state.proxy.mark,
            policy=state.policy.configured,
            opened_at=state.opened_at,
            reconnect_attempts=state.reconnect_attempts,
            next_attempt_at=state.next_attempt_at,
            timelocked=state.timelocked,
            timelocked_until=self._timelocked_until if state.timelocked else None,
            new_chats=self._new_chats,
            platform=self._platform,
            heartbeats=self._counts[connector.Rtt],
            heartbeats_missed=self._counts[connector.HeartbeatMissed],
            missed_in_a_row=self._missed_in_a_row,
            rtt_last_ms=self._rtt_last,
            rtt_p50_ms=percentile(self._rtts, 0.5),
            rtt_p95_ms=percentile(self._rtts, 0.95),
            acks=self._counts[connector.Ack] - self._nacks.total(),
            ack_p95_ms=percentile(self._acks, 0.95),
            nacks=dict(self._nacks),
            receipts=self._counts[connector.Receipt],
            received=self._counts[connector.Received],
            undecryptable=self._counts[connector.Undecryptable],
            heard=self._counts[connector.Heard],
            disconnects=self._disconnects,
            last_in=self._last_in,
            last_out=self._last_out,
            last_ack=self._last_ack,
            last_received=self._last_received,
            last_heartbeat=self._last_heartbeat,
            last_delivery=self._last_delivery,
            unanswered_since=next(iter(self._unanswered.values()), None),
        )
        self._since = now
        self._clear()
        return sample


def percentile(values: Iterable[float], share: float) -> float | None:
    """The nearest-rank percentile (``share`` in 0..1): a value that occurred; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
