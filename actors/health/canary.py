"""Canaries: messages between two sessions of this daemon that show whether what is sent to a session arrives.  Pure.

When one is needed, and what became of it; from whom it comes is in `senders`.  It is asked for where silence is
suspicious, and once an interval where nothing else arrives.  Times are seconds since 1970.
"""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from hashlib import blake2b
from math import inf

from actors.health.liveness import FAULTS, Inbound, Liveness
from actors.health.signals import Signals
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
"""After a canary that arrived in a suspicious silence; four times as long with each, up to the interval."""
LIVELY_S, LIVELY_PAUSE_S = 600.0, 480.0
"""A session is lively where a silence of so long would be suspicious.  That it is deaf is to be noticed within that
time, on whatever day: the longest pause leaves two minutes of it to miss two canaries, and one that says nothing."""
CALM_S = 7200.0
"""Suspicion that was wrong is remembered for so long, or for two of the pauses that it asks for."""
VOID_PAUSE_S = 30.0
"""After a canary that proved nothing, such as one that the sender's account was refused; doubled with each."""
ANSWER_S = 20.0
"""The server has accepted a canary within so long, or it proves nothing."""
UNTOLD_S = 60.0
"""Without a sample of the receiver for so long after its time a canary proves nothing."""
AT_A_TIME = 10
"""Canaries that are begun at one look."""
SAME_S = 0.001
"""Times of one silence that were told on two ways differ by rounding at most."""
DAY_S = 86_400.0
AHEAD_S = 60.0
"""What is so far in the future was noted by a clock that has been set back since: it holds nothing up."""


class Need(IntEnum):
    """Why a session should get a canary; what is greater is more urgent."""

    DOUBT = 0
    """Its silence is improbable, but it is not lively: within the interval it is asked anyway."""
    ROUTINE = 1
    """Nothing else has come for most of the interval; or it was deaf, and has to prove that it hears again."""
    SUSPICION = 2
    """It is lively, and its silence improbable."""
    CONFIRMATION = 3
    """It has missed one in this silence."""


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
    lively: bool = False
    """Whether it is usual that so much arrives that a silence of `LIVELY_S` is suspicious."""


@dataclass(frozen=True, slots=True)
class Past:
    """What canaries a session got."""

    last_at: float = 0.0
    last_sender: str = ""
    need: Need = Need.ROUTINE
    """Of the last."""
    missed: int = 0
    """In a row, in the silence since ``silent_since``."""
    silent_since: float = 0.0
    senders: frozenset[str] = frozenset()
    """Whose were missed in this silence."""
    vouched: bool = False
    """Two senders missed it, or one that reached somebody since the silence began: it is not the sender's fault."""
    calm: int = 0
    """In a row, those that arrived in a suspicious silence: today is not as usual, and the session hears."""
    calm_at: float = 0.0
    """When the last of them was sent."""
    void: int = 0
    """In a row."""

    def missed_since(self, silent_since: float) -> int:
        """In a row, in the silence since then."""
        return self.missed if abs(self.silent_since - silent_since) < SAME_S else 0

    def proves(self, silent_since: float) -> int:
        """Of those, how many count: see `Canaries.missed`."""
        missed = self.missed_since(silent_since)
        return missed if self.vouched else min(missed, 1)

    def asked(self, need: Need, sender: str, policy: Policy, now: float) -> "Past":
        """The same when a canary was sent."""
        known = replace(self, last_at=now, last_sender=sender, need=need)
        if need not in {Need.DOUBT, Need.SUSPICION}:
            return known
        return replace(known, calm=0 if _is_forgotten(self, policy, now) else self.calm, calm_at=now)

    def heard(self) -> "Past":
        """The same when it arrived."""
        calm = self.calm + (self.need is not Need.ROUTINE)
        return replace(self, missed=0, senders=frozenset(), vouched=False, calm=calm, void=0)


def address_of(me: str | None) -> str | None:
    """The address of an account from a session's own JID, ``USER:DEVICE@SERVER``; None if there is none."""
    if not me or "@" not in me:
        return None
    user, server = me.split("@", 1)
    return f"{user.split(':', 1)[0].split('.', 1)[0]}@{server}"


def need(peer: Peer, past: Past, policy: Policy, now: float) -> Need | None:
    """Why a session should get one now; None if it should not."""
    if peer.signals.state is not State.OPEN or age(peer.signals.since, now) < SETTLED_S:
        return None
    last = age(past.last_at, now)
    if last < max(SPACING_S, _pause(VOID_PAUSE_S, past.void, policy)):
        return None
    waited = min(age(peer.silent_since, now), last)
    if peer.liveness in FAULTS:  # known: what is done about it ends with the connection, this only confirms it
        return Need.ROUTINE if peer.liveness is Liveness.DEAF and waited >= policy.interval else None
    if missed := past.missed_since(peer.silent_since):
        if Inbound(peer.silence, past.proves(peer.silent_since)).is_deaf:
            return None  # one more would say nothing new
        goes_on = past.vouched or missed < CONFIRMATIONS or last >= policy.interval
        return Need.CONFIRMATION if goes_on else None
    if _has_to_prove_itself(peer.signals) and last > age(peer.signals.since, now):
        return Need.ROUTINE
    doubted = peer.silence < SUSPICIOUS and waited >= calm_pause(past, policy, now, lively=peer.lively)
    if doubted and peer.lively:
        return Need.SUSPICION
    if waited >= SOONEST_SHARE * policy.interval and waited >= _patience(
        policy, share_of(f"{peer.id}/{peer.silent_since}")
    ):
        return Need.ROUTINE
    return Need.DOUBT if doubted else None


def rests_until(peer: Peer, past: Past, policy: Policy) -> float:
    """Until then nothing is needed, as long as nothing about the session changes."""
    doubtful = peer.silence < SUSPICIOUS or past.missed_since(peer.silent_since) or peer.liveness in FAULTS
    if doubtful or _has_to_prove_itself(peer.signals):
        return 0.0
    return max(peer.silent_since, past.last_at) + SOONEST_SHARE * policy.interval


def age(at: float, now: float) -> float:
    """Seconds since then; for ever, if a clock that was ahead noted it."""
    return now - at if at <= now + AHEAD_S else inf


def calm_pause(past: Past, policy: Policy, now: float, *, lively: bool) -> float:
    """Seconds without a sign of life after which a suspicious silence asks for a canary.

    They grow with each that arrived: on a holiday every silence is suspicious, and messages that come all the same do
    not make it a day like others.
    """
    if _is_forgotten(past, policy, now):
        return 0.0
    pause = _calm_pause(past, policy)
    return min(pause, LIVELY_PAUSE_S) if lively else pause


def _is_forgotten(past: Past, policy: Policy, now: float) -> bool:
    return age(past.calm_at, now) >= max(CALM_S, 2 * _calm_pause(past, policy))


def _calm_pause(past: Past, policy: Policy) -> float:
    return _pause(FIRST_PAUSE_S, past.calm, policy, 4.0)


def _pause(first: float, times: int, policy: Policy, factor: float = 2.0) -> float:
    """Longer by a factor each time, up to the interval."""
    return min(policy.interval, first * factor ** min(times - 1, 16)) if times else 0.0


def _has_to_prove_itself(signals: Signals) -> bool:
    """It was deaf, and on the new connection nothing came yet but what a login brings."""
    heard = signals.last_delivery
    return signals.cause is Cause.DEAF and (heard is None or heard <= signals.since + LOGIN_S)


def _patience(policy: Policy, share: float) -> float:
    """Seconds of any silence after which a canary is due; ``share`` (0 to 1) spreads the sessions."""
    latest = policy.interval - CONFIRMATIONS * (policy.timeout + CONFIRM_S)
    return max(SOONEST_SHARE * policy.interval, latest - JITTER_SHARE * policy.interval * share)


def outcome(canary: Canary, receiver: Peer | None, policy: Policy, now: float) -> Outcome | None:
    """What became of a canary that was not told to have arrived; None while that is open."""
    if receiver is None or receiver.signals.state is not State.OPEN or canary.at > now + AHEAD_S:
        return Outcome.VOID
    if canary.at < receiver.signals.since <= now + AHEAD_S:
        return Outcome.VOID
    sampled = receiver.signals.sampled_at
    if canary.accepted_at is None or sampled is None or sampled < canary.accepted_at + policy.timeout:
        # that the server has it, or what the receiver has heard by then, is not known yet
        return Outcome.VOID if now > over_at(canary, policy) else None
    heard = receiver.signals.last_delivery
    return Outcome.VOID if heard is not None and canary.at <= heard <= now + AHEAD_S else Outcome.MISSED


def over_at(canary: Canary, policy: Policy) -> float:
    """When it proves nothing any more, if nothing is heard of it until then."""
    return canary.at + ANSWER_S if canary.accepted_at is None else canary.accepted_at + policy.timeout + UNTOLD_S


def share_of(name: str) -> float:
    """A number from 0 to 1 that a name always has."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest()) / 2**32
