"""Canaries: messages between two sessions of this daemon that show whether what is sent to a session arrives.  Pure.

When one is due, from whom it comes and what became of it.  A canary goes only from one supervised session to another
that logged in as a different account, so never to a stranger; it is asked for where silence is suspicious, and once an
interval where nothing else arrives.  Times are seconds since 1970.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from math import inf
from typing import TypeVar

from actors.health.liveness import FAULTS, Liveness
from actors.health.signals import HOUR, Signals, window
from actors.session.causes_table import Cause
from actors.session.vocabulary import State
from actors.store.records import Canary

SUSPICIOUS = 5e-3
"""A silence of a smaller probability is looked into at once."""
SETTLED_S = 10.0
"""A connection is open for so long before it sends or gets a canary."""
LOGIN_S = 2.0
"""What the delivery path brings within so long after the opening belongs to the login."""
SPACING_S = 5.0
"""Seconds between two canaries of a sender, and between two to a receiver."""
CONFIRMATIONS, CONFIRM_S = 4, 45.0
"""Canaries in a row that it may take to be sure, and seconds for each beside its timeout: what is left of the interval
when a silent session gets the first."""
SOONEST_SHARE, JITTER_SHARE = 0.4, 0.2
"""Of the interval: no sooner than after so much, and up to so much before the latest moment."""
FIRST_PAUSE_S = 240.0
"""After a canary that arrived in a suspicious silence; doubled with each, up to the interval."""
VOID_PAUSE_S = 30.0
"""After a canary that proved nothing, such as one that the sender's account was refused; doubled with each."""
ANSWER_S = 20.0
"""The server has accepted a canary within so long, or it proves nothing."""
UNTOLD_S = 60.0
"""Without a sample of the receiver for so long after its time a canary proves nothing."""
AT_A_TIME = 10
"""Canaries that are begun at one look."""
NEIGHBOURS = 2
"""Before and behind a session in the ring of those that take part: an account writes to few, and always the same."""
DAY_S = 86_400.0
AHEAD_S = 60.0
"""What is so far in the future was noted by a clock that has been set back since: it holds nothing up."""
RESTRICTED = 463


class Outcome(StrEnum):
    """What became of a canary."""

    ARRIVED = "arrived"
    MISSED = "missed"
    """The server accepted it, and it did not arrive in time."""
    VOID = "void"
    """It says nothing: not accepted, or the connection ended, or a restart."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's."""

    enabled: bool = False
    interval: float = 3600.0
    """Seconds within which the deafness of a session is noticed to which nothing else comes."""
    timeout: float = 20.0
    """Seconds from acceptance to arrival; a later one is missed."""
    daily_budget: int = 48
    """Canaries that a session may send within 24 h."""
    sessions: frozenset[str] = frozenset()
    """Who takes part; empty: all."""


@dataclass(frozen=True, slots=True)
class Seat:
    """The place of a session among those that write to each other, be it open or not."""

    id: str
    world: str
    """Only sessions of one world reach each other."""
    address: str
    """JID of its account, without a device."""


@dataclass(frozen=True, slots=True)
class Peer(Seat):
    """An open session as canaries see it."""

    signals: Signals
    liveness: Liveness | None
    silence: float
    """Probability of its silence."""
    silent_since: float


@dataclass(frozen=True, slots=True)
class Past:
    """What canaries a session got."""

    last_at: float = 0.0
    last_sender: str = ""
    missed: int = 0
    """In a row, in the silence since ``silent_since``."""
    silent_since: float = 0.0
    senders: frozenset[str] = frozenset()
    """Whose were missed in this silence."""
    vouched: bool = False
    """Two senders missed it, or one that reached somebody since the silence began: it is not the sender's fault."""
    arrived: int = 0
    """In a row, without anything else that arrived between them."""
    void: int = 0
    """In a row."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a session sent: when, within the last 24 h."""

    times: tuple[float, ...] = field(default_factory=tuple)

    def within_day(self, now: float) -> int:
        """How many."""
        return sum(abs(now - at) < DAY_S for at in self.times)


def address_of(me: str | None) -> str | None:
    """The address of an account from a session's own JID, ``USER:DEVICE@SERVER``; None if there is none."""
    if not me or "@" not in me:
        return None
    user, server = me.split("@", 1)
    return f"{user.split(':', 1)[0].split('.', 1)[0]}@{server}"


def is_due(peer: Peer, past: Past, policy: Policy, now: float) -> bool:
    """Whether a session should get one."""
    if peer.signals.state is not State.OPEN or _age(peer.signals.since, now) < SETTLED_S:
        return False
    last = _age(past.last_at, now)
    if last < max(SPACING_S, _pause(VOID_PAUSE_S, past.void, policy)):
        return False
    waited = min(_age(peer.silent_since, now), last)
    if peer.liveness in FAULTS:  # known: what is done about it ends with the connection, this only confirms it
        return peer.liveness is Liveness.DEAF and waited >= policy.interval
    if past.missed and past.silent_since == peer.silent_since:
        return past.vouched or past.missed < CONFIRMATIONS or last >= policy.interval
    if _has_to_prove_itself(peer.signals) and last > _age(peer.signals.since, now):
        return True
    if waited >= _patience(policy, _share(f"{peer.id}/{peer.silent_since}")):
        return True
    return peer.silence < SUSPICIOUS and last >= _pause(FIRST_PAUSE_S, past.arrived, policy)


def _age(at: float, now: float) -> float:
    """Seconds since then; for ever, if a clock that was ahead noted it."""
    return now - at if at <= now + AHEAD_S else inf


def _pause(first: float, times: int, policy: Policy) -> float:
    """Doubled each time, up to the interval."""
    return min(policy.interval, first * 2.0 ** min(times - 1, 16)) if times else 0.0


def _has_to_prove_itself(signals: Signals) -> bool:
    """It was deaf, and on the new connection nothing came yet but what a login brings."""
    heard = signals.last_delivery
    return signals.cause is Cause.DEAF and (heard is None or heard <= signals.since + LOGIN_S)


def _patience(policy: Policy, share: float) -> float:
    """Seconds of any silence after which a canary is due; ``share`` (0 to 1) spreads the sessions."""
    latest = policy.interval - CONFIRMATIONS * (policy.timeout + CONFIRM_S)
    return max(SOONEST_SHARE * policy.interval, latest - JITTER_SHARE * policy.interval * share)


def may_send(peer: Peer, spent: Spent, policy: Policy, now: float) -> bool:
    """Whether a session may send one now: restricted accounts never do."""
    signals = peer.signals
    if signals.state is not State.OPEN or _age(signals.since, now) < SETTLED_S or peer.liveness in FAULTS:
        return False
    capped = signals.new_chats is not None and signals.new_chats.capped
    if signals.timelocked or capped or window(signals, HOUR, now).nacks.get(RESTRICTED):
        return False
    if signals.unanswered_since is not None:
        return False  # what it sent before is still on its way: one more would prove nothing
    recent = bool(spent.times) and _age(spent.times[-1], now) < SPACING_S
    return not recent and spent.within_day(now) < policy.daily_budget


S = TypeVar("S", bound=Seat)


def neighbours(receiver: Peer, ring: Sequence[S]) -> list[S]:
    """Who may write to it: the nearest of its world with another account; ``ring`` is ordered by id."""
    others = [seat for seat in ring if seat.world == receiver.world and seat.address != receiver.address]
    behind = [seat for seat in others if seat.id > receiver.id]
    circle = [*behind, *(seat for seat in others if seat.id < receiver.id)]
    if len(circle) <= 2 * NEIGHBOURS:
        return circle
    return [*circle[:NEIGHBOURS], *circle[-NEIGHBOURS:]]


def choose(
    receiver: Peer,
    ring: Sequence[Seat],
    peers: Mapping[str, Peer],
    past: Past,
    spent: Mapping[str, Spent],
    policy: Policy,
    now: float,
) -> Peer | None:
    """The sender: not the one of the last time if there is another, else who sent least.  None if nobody may.

    ``peers`` are those of the ring that are open.
    """
    near = (peers.get(seat.id) for seat in neighbours(receiver, ring))
    able = [peer for peer in near if peer is not None and may_send(peer, spent.get(peer.id, Spent()), policy, now)]
    if not able:
        return None
    return min(
        able,
        key=lambda peer: (
            peer.id == past.last_sender,
            spent.get(peer.id, Spent()).within_day(now),
            _share(f"{receiver.id}/{peer.id}/{int(now)}"),
        ),
    )


def outcome(canary: Canary, receiver: Peer | None, policy: Policy, now: float) -> Outcome | None:
    """What became of a canary that was not told to have arrived; None while that is open."""
    if receiver is None or receiver.signals.state is not State.OPEN or canary.at > now + AHEAD_S:
        return Outcome.VOID
    if canary.at < receiver.signals.since <= now + AHEAD_S:
        return Outcome.VOID
    if canary.accepted_at is None:
        return Outcome.VOID if now - canary.at > ANSWER_S else None
    deadline = canary.accepted_at + policy.timeout
    sampled = receiver.signals.sampled_at
    if sampled is None or sampled < deadline:  # what it has heard by then is not known yet
        return Outcome.VOID if now > deadline + UNTOLD_S else None
    heard = receiver.signals.last_delivery
    return Outcome.VOID if heard is not None and canary.at <= heard <= now + AHEAD_S else Outcome.MISSED


def participants(peers: Iterable[S], policy: Policy) -> list[S]:
    """Those that take part, as a ring."""
    return sorted((p for p in peers if not policy.sessions or p.id in policy.sessions), key=lambda peer: peer.id)


def _share(name: str) -> float:
    """A number from 0 to 1 that a name always has."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest()) / 2**32
