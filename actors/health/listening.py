"""What health knows of the way in of each session: its rhythm, how usual its silence is, its canaries.

Without clock and I/O.  A silence is looked at again when it has grown by a fiftieth: of many quiet sessions each costs
little, and that of a lively one is known to a few seconds.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo

from actors.health.canaries import Canaries
from actors.health.canary import LIVELY_S, SUSPICIOUS, Outcome, Peer, Seat, address_of
from actors.health.liveness import Inbound, Liveness, Verdict, silent_since
from actors.health.rhythm import Rhythm, fleet_shares, no_shares
from actors.health.signals import Signals
from actors.session.change import Change
from actors.session.sample import Sample
from actors.session.vocabulary import State
from actors.store.records import Canary

CLOCKS_APART = 2.0
"""Seconds by which the host and a session may see the same message at different times."""
SOONEST, LATEST, GROWTH = 5.0, 600.0, 50.0
"""Seconds, seconds, and which part of a silence: when its probability is computed again."""
CONNECTORS_WITH_A_WORLD_EACH = frozenset({"simulator"})
"""Connectors whose processes have a server of their own each."""

AWAY = frozenset({State.STOPPED, State.BLOCKED, State.HALTED, State.PAIRING})
"""Until somebody acts they send nothing: they have no place among those that write to each other."""


@dataclass(slots=True)
class _Ear:
    rhythm: Rhythm
    address: str | None = None
    connector: str = ""
    shard: int | None = None
    silence: float = 1.0
    since: float = 0.0
    again_at: float = 0.0
    unstored: bool = False
    canary_at: float = 0.0
    """When the last canary arrived."""
    lively: bool = False
    """Of a suspicious silence: whether it would be so after ten minutes."""
    peer: Peer | None = None
    """What was last made of it."""
    unheard: bool = False
    """It was open before this actor began, and has not told yet what it heard meanwhile."""
    opened_at: float = 0.0
    """Of such a one."""

    @property
    def world(self) -> str:
        return f"{self.connector}/{self.shard}" if self.connector in CONNECTORS_WITH_A_WORLD_EACH else self.connector


class Listening:
    """Of the whole fleet."""

    def __init__(self, canaries: Canaries, zone: tzinfo) -> None:
        self.canaries = canaries
        self._zone = zone
        self._ears: dict[str, _Ear] = {}
        self._fleet: array[float] = no_shares()

    def restore(self, rhythms: Mapping[str, Rhythm]) -> None:
        """The rhythms that an earlier actor stored."""
        self._ears = {session: _Ear(rhythm) for session, rhythm in rhythms.items()}
        self.compare()

    def compare(self) -> None:
        """Learns the fleet's rhythm anew from those of its sessions; once an hour is enough."""
        self._fleet = fleet_shares(ear.rhythm for ear in self._ears.values())

    def unstored(self) -> dict[str, Rhythm]:
        """The rhythms that have changed since the last call."""
        changed = {session: ear for session, ear in self._ears.items() if ear.unstored}
        for ear in changed.values():
            ear.unstored = False
        return {session: ear.rhythm for session, ear in changed.items()}

    def forget(self, session: str) -> None:
        """The session is no more."""
        self._ears.pop(session, None)
        self.canaries.forget(session)

    def left(self, session: str) -> None:
        """The session is away, or not known yet: its rhythm is kept for its return."""
        if (ear := self._ears.get(session)) is not None:
            ear.rhythm.disregard()
        self.canaries.forget(session)

    def rhythm_since(self, session: str) -> float | None:
        """When the learning of its rhythm began."""
        ear = self._ears.get(session)
        return None if ear is None else ear.rhythm.since

    # news

    def changed(self, session: str, before: Signals | None, change: Change, last: str | None, now: float) -> None:
        """A transition; ``last``: the liveness until then."""
        ear = self._ear(session, change.at)
        was_open = before is not None and before.state is State.OPEN
        if change.state is State.OPEN:
            if not was_open:
                ear.unheard, ear.opened_at = before is None, change.at
                if before is not None or not ear.rhythm.resumes(change.at, now):
                    ear.rhythm.opened(max(change.at, now))  # of an older connection, its past was learned before
        elif was_open and (last == Liveness.DEAF or ear.unheard):
            ear.rhythm.disregard()
        elif was_open:
            ear.rhythm.closed(change.at, self._zone)
        self.canaries.changed(session, change.at, is_open=change.state is State.OPEN)

    def logged_in(self, session: str, me: str | None, connector: str, at: float) -> None:
        """As whom (its own JID), and over which connector."""
        ear = self._ear(session, at)
        ear.address, ear.connector = address_of(me), connector

    def placed(self, session: str, shard: int, at: float) -> None:
        """Where it runs."""
        self._ear(session, at).shard = shard

    def shard_of(self, session: str) -> int | None:
        """Where it runs, if that is known."""
        ear = self._ears.get(session)
        return None if ear is None else ear.shard

    def sampled(self, session: str, sample: Sample) -> None:
        """A sample that was not seen before."""
        arrivals = sample.received + sample.undecryptable + sample.heard
        ear = self._ear(session, sample.at)
        if ear.unheard:
            self._heard_meanwhile(session, ear, sample)
        if not arrivals:
            return
        if sample.since - CLOCKS_APART < ear.canary_at < sample.at + CLOCKS_APART:
            arrivals -= 1 + (sample.heard > 0)  # itself, and that it was heard
        if arrivals <= 0:
            return
        if not self.canaries.is_under_way(session):
            ear.rhythm.resume(sample.at, self._zone)  # one that was missed, and is over
        ear.rhythm.heard(sample.at, self._zone)
        ear.unstored = True

    def _heard_meanwhile(self, session: str, ear: _Ear, sample: Sample) -> None:
        ear.unheard = False
        ear.rhythm.continued(sample.last_delivery, sample.at)
        silent = max(ear.opened_at, sample.last_delivery or 0.0)
        if (doubted := self.canaries.doubted_since(session, silent)) is not None:
            ear.rhythm.pause(min(doubted, sample.at))

    def _ear(self, session: str, at: float) -> _Ear:
        ear = self._ears.get(session)
        if ear is None:
            ear = self._ears[session] = _Ear(Rhythm(at))
        return ear

    # judging

    def inbound(self, session: str, signals: Signals, now: float) -> Inbound:
        """What speaks for and against the way in of an open session."""
        ear = self._ears.get(session)
        if ear is None or signals.state is not State.OPEN or signals.sampled_at is None:
            return Inbound()  # the last is so after a restart: it has not told yet what it heard
        since = silent_since(signals)
        if since != ear.since or now >= ear.again_at:
            ear.since = since
            ear.silence = ear.rhythm.silence(since, now, self._zone, self._fleet)
            ear.lively = ear.silence < SUSPICIOUS and self._is_lively(ear.rhythm, now)
            ear.again_at = now + min(LATEST, max(SOONEST, (now - since) / GROWTH))
        return Inbound(ear.silence, self.canaries.missed(session, since))

    def _is_lively(self, rhythm: Rhythm, now: float) -> bool:
        return rhythm.silence(now - LIVELY_S, now, self._zone, self._fleet) < SUSPICIOUS

    # canaries

    def peers(self, signals: Mapping[str, Signals], verdicts: Mapping[str, Verdict | None]) -> dict[str, Peer]:
        """The open sessions whose account is known, as canaries see them; what they have heard must be known, too."""
        return {
            session: _peer(session, ear, ear.address, known, verdicts.get(session))
            for session, known in signals.items()
            if known.state is State.OPEN
            and known.sampled_at is not None
            and (ear := self._ears.get(session)) is not None
            and ear.address is not None
            and ear.shard is not None
        }

    def seats(self, signals: Mapping[str, Signals]) -> Iterator[Seat]:
        """The sessions whose account is known and that are to be connected: trouble takes nobody's place."""
        return (
            Seat(session, ear.world, ear.address)
            for session, known in signals.items()
            if known.state not in AWAY
            and (ear := self._ears.get(session)) is not None
            and ear.address is not None
            and (ear.shard is not None or ear.connector not in CONNECTORS_WITH_A_WORLD_EACH)
        )

    def begin(self, peers: Mapping[str, Peer], now: float, seats: Iterable[Seat] | None = None) -> list[Canary]:
        """The canaries to be sent now, after those were ended whose time is over; ``seats``: see `Canaries.begin`."""
        self._ended(self.canaries.conclude(peers, now), now)
        begun = self.canaries.begin(peers, now, seats)
        for canary in begun:
            self._ear(canary.receiver, now).rhythm.pause(now)
        return begun

    def arrived(self, session: str, id: str, at: float) -> None:
        """A canary arrived at a session, perhaps too late."""
        self._ear(session, at).canary_at = at
        if (receiver := self.canaries.arrived(session, id, at)) is not None:
            self._ended([(receiver, Outcome.ARRIVED)], at)

    def refused(self, id: str, at: float) -> None:
        """A canary was not sent, or not accepted."""
        if (receiver := self.canaries.refused(id, at)) is not None:
            self._ended([(receiver, Outcome.VOID)], at)

    def _ended(self, ended: Iterable[tuple[str, Outcome]], at: float) -> None:
        for receiver, outcome in ended:
            if (
                outcome is not Outcome.MISSED
            ):  # until it arrives or the connection ends, nothing is known of the silence
                self._ear(receiver, at).rhythm.resume(at, self._zone)


def _peer(session: str, ear: _Ear, address: str, signals: Signals, verdict: Verdict | None) -> Peer:
    """It as canaries see it; the same object as long as nothing is new, for most are looked at in vain."""
    since = silent_since(signals)
    silence = ear.silence if ear.since == since else 1.0
    liveness = None if verdict is None else verdict.liveness
    peer = ear.peer
    if (
        peer is None
        or peer.signals is not signals
        or peer.silence != silence
        or peer.liveness is not liveness
        or peer.address != address
        or peer.lively is not ear.lively
        or peer.world != ear.world
    ):
        peer = ear.peer = Peer(session, ear.world, address, signals, liveness, silence, since, ear.lively)
    return peer
