"""The canaries of the fleet: begins those that are due, and keeps what became of each.  Without clock and I/O."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from itertools import islice

from actors.health.canary import (
    AHEAD_S,
    AT_A_TIME,
    SAME_S,
    Need,
    Outcome,
    Past,
    Peer,
    Policy,
    Seat,
    need,
    outcome,
    over_at,
    rests_until,
)
from actors.health.canary_memory import Changed, Memory, goes_on, unread
from actors.health.senders import Ring, Spent, choose
from actors.store.records import Canary

RESULTS = ("sent", *Outcome)
"""What is counted of a session, by the receiver."""
NOTHING = Past()


class Canaries:
    """``name()`` makes the message id of a new canary."""

    def __init__(self, policy: Policy, name: Callable[[], str]) -> None:
        self.policy = policy
        self._name = name
        self._under_way: dict[str, Canary] = {}
        """Receiver -> its canary: one at a time."""
        self._past: defaultdict[str, Past] = defaultdict(Past)
        self._spent: dict[str, Spent] = {}
        self._reached: dict[str, float] = {}
        """Sender -> when one of its canaries last arrived, at whomever."""
        self._resting: dict[str, tuple[Peer, Past, float]] = {}
        """Who needs none until then, unless one of the two is another by now."""
        self.counts: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(RESULTS, 0))
        self._changed: dict[str, Canary] = {}
        self._taught: set[str] = set()
        """Sessions of which something else is known than what is stored."""
        self._resumed: set[str] = set()
        """Canaries under way that an earlier actor began."""
        self._unseen: set[str] = set()
        """Their receivers, as long as this actor has not heard how they are."""

    # over restarts

    def restore(self, stored: Iterable[Canary], memories: Mapping[str, Memory], now: float) -> None:
        """Those of the last day, oldest first, and what is remembered by session.

        Budgets hold over restarts.  What was under way is again, if its time is not over.
        """
        for session, memory in memories.items():
            self._past[session] = memory.past
            if memory.reached:
                self._reached[session] = memory.reached
        for canary in stored:
            self._spend(canary)
            if canary.outcome is None:
                if goes_on(canary, self.policy, now) and canary.receiver not in self._under_way:
                    self._under_way[canary.receiver] = canary
                    self._resumed.add(canary.id)
                    self._unseen.add(canary.receiver)
                else:
                    self._changed[canary.id] = replace(canary, outcome=Outcome.VOID, ended_at=now)

    def recall(self, session: str, missed: int, silent_since: float) -> None:
        """It was deaf when an earlier actor looked last, with so many missed; canaries tell whether it still is."""
        past = self._past[session]
        if past.proves(silent_since) < missed:
            self._learn(session, replace(past, missed=missed, silent_since=silent_since, vouched=True))

    def unread(self) -> dict[int, int]:
        """Shard -> the number in its outbox after which what is under way may have arrived."""
        return unread(self._under_way.values())

    def reads_on(self, canary: Canary, shard: int | None, read_upto: int | None) -> None:
        """Where the arrival of a new one will be told; None: not known, and it ends with this actor."""
        if self._under_way.get(canary.receiver) is not None and self._under_way[canary.receiver].id == canary.id:
            self._put(replace(self._under_way[canary.receiver], shard=shard, read_upto=read_upto))

    def changed(self, session: str, since: float, *, is_open: bool) -> None:
        """A session is, or is not, open since then: whether one that an earlier actor began is on this connection."""
        canary = self._under_way.get(session)
        if canary is not None and (not is_open or since > canary.at):
            self._unseen.discard(session)

    def doubted_since(self, session: str, silent_since: float) -> float | None:
        """Since when it is asked whether a session hears: one is under way, or the last was missed in this silence."""
        if (canary := self._under_way.get(session)) is not None:
            return canary.at
        past = self._past.get(session, NOTHING)
        return past.last_at if past.missed_since(silent_since) else None

    def take_changed(self) -> Changed:
        """What changed since the last call, to be stored in one transaction."""
        memories = {session: self._memory(session) for session in self._taught}
        changed = Changed(self._changed, memories)
        self._changed, self._taught = {}, set()
        return changed

    def give_back(self, changed: Changed) -> None:
        """It could not be stored: the next call returns it again, or what has become of it."""
        self._changed = {**changed.canaries, **self._changed}
        self._taught |= changed.memories.keys()

    def _memory(self, session: str) -> Memory | None:
        past, reached = self._past.get(session), self._reached.get(session, 0.0)
        return None if past is None and not reached else Memory(past or NOTHING, reached)

    def _learn(self, session: str, past: Past) -> None:
        self._past[session] = past
        self._taught.add(session)

    def missed(self, session: str, silent_since: float) -> int:
        """Canaries in a row that did not arrive in the silence since then.

        However many it were, one as long as a single account sent them all, of which nothing else arrived: what it
        sends may get lost, and not what the session is to hear.
        """
        past = self._past.get(session)
        return 0 if past is None else past.proves(silent_since)

    def is_under_way(self, session: str) -> bool:
        """Whether a canary to the session is."""
        return session in self._under_way

    def under_way(self) -> Collection[str]:
        """The sessions to which one is."""
        return self._under_way.keys()

    def spent(self, session: str) -> Spent:
        """What a session sent."""
        return self._spent.get(session, Spent())

    def forget(self, session: str) -> None:
        """The session is no more; what it sent counts on: it may come back."""
        for known in (self._under_way, self._past, self._reached, self._resting, self.counts):
            known.pop(session, None)
        self._unseen.discard(session)
        self._taught.add(session)

    def prune(self, now: float, steady: float) -> None:
        """Forgets what was sent so long ago that it counts no more; ``steady``: seconds of a clock that nobody sets."""
        pruned = {session: spent.pruned(now, steady) for session, spent in self._spent.items()}
        self._spent = {session: spent for session, spent in pruned.items() if spent.times}

    # what happens to one

    def accepted(self, id: str, at: float) -> None:
        """The server acknowledged it."""
        canary = self._find(id)
        if canary is not None and canary.accepted_at is None:
            self._put(replace(canary, accepted_at=at))

    def refused(self, id: str, at: float) -> str | None:
        """It was not sent, or the server refused it, or said nothing; returns to whom, as `arrived` does."""
        if (canary := self._find(id)) is None:
            return None
        self._end(canary, Outcome.VOID, at)
        return canary.receiver

    def arrived(self, session: str, id: str, at: float) -> str | None:
        """It is here; returns at whom, None if it was not waited for any more.

        At another device of the same account it proves nothing of the one to which it was sent.
        """
        if (canary := self._find(id)) is None or canary.receiver != session:
            return None
        self._end(canary, Outcome.ARRIVED, at)
        return canary.receiver

    def _find(self, id: str) -> Canary | None:
        return next((canary for canary in self._under_way.values() if canary.id == id), None)

    def _put(self, canary: Canary) -> None:
        self._under_way[canary.receiver] = self._changed[canary.id] = canary

    def _end(self, canary: Canary, result: Outcome, at: float, silent_since: float = 0.0) -> None:
        del self._under_way[canary.receiver]
        self._changed[canary.id] = replace(canary, outcome=result, ended_at=at)
        self.counts[canary.receiver][result] += 1
        past = self._past[canary.receiver]
        if result is Outcome.ARRIVED:
            self._vouch(canary.sender, at)
            past = past.heard()
        elif result is Outcome.MISSED:
            past = self._missed(past, canary.sender, silent_since)
        elif canary.id not in self._resumed:  # else it is the restart that is to blame
            past = replace(past, void=past.void + 1)
        self._resumed.discard(canary.id)
        self._unseen.discard(canary.receiver)
        self._learn(canary.receiver, past)

    def _vouch(self, sender: str, at: float) -> None:
        """What a session sends arrives: those who missed something of it are the ones that do not hear."""
        self._reached[sender] = at
        self._taught.add(sender)
        for session, past in [*self._past.items()]:
            if sender in past.senders and past.silent_since <= at and not past.vouched:
                self._learn(session, replace(past, vouched=True))

    def _missed(self, past: Past, sender: str, silent_since: float) -> Past:
        if abs(past.silent_since - silent_since) >= SAME_S:
            past = replace(past, missed=0, senders=frozenset(), vouched=False)
        senders = past.senders | {sender}
        vouched = past.vouched or len(senders) > 1 or self._reached.get(sender, 0.0) >= silent_since
        return replace(
            past,
            missed=past.missed + 1,
            silent_since=silent_since,
            senders=senders,
            vouched=vouched,
            calm=0,
            void=0,
        )

    # what is to be done

    def conclude(self, peers: Mapping[str, Peer], now: float) -> list[tuple[str, Outcome]]:
        """Ends those of which is known by now what became of them; returns (receiver, outcome)."""
        ended = []
        for canary in list(self._under_way.values()):
            receiver = peers.get(canary.receiver)
            if receiver is not None:
                self._unseen.discard(canary.receiver)
            elif self._may_be_seen(canary, now):
                continue
            result = outcome(canary, receiver, self.policy, now)
            if result is not None:
                self._end(canary, result, now, 0.0 if receiver is None else receiver.silent_since)
                ended.append((canary.receiver, result))
        return ended

    def _may_be_seen(self, canary: Canary, now: float) -> bool:
        """A fresh actor has not heard of the receiver yet: that is no sign that it is not open."""
        unseen = canary.receiver in self._unseen
        return unseen and canary.at <= now + AHEAD_S and now <= over_at(canary, self.policy)

    def begin(self, peers: Mapping[str, Peer], now: float, seats: Iterable[Seat] | None = None) -> list[Canary]:
        """Those to be sent now: to be stored first, so that none is sent twice.

        ``seats`` are all who have a place in the ring; None: the peers alone.
        """
        if not self.policy.enabled:
            return []
        due = [
            (peer, why)
            for peer in peers.values()
            if (not self.policy.sessions or peer.id in self.policy.sessions)
            and peer.id not in self._under_way
            and (why := self._need(peer, now)) is not None
        ]
        if not due:
            return []
        ring = Ring[Seat](peers.values() if seats is None else seats, self.policy)
        due.sort(key=lambda one: (-one[1], one[0].silence, one[0].silent_since, one[0].id))
        begun = (self._begin(peer, why, ring, peers, now) for peer, why in due)
        return [*islice((canary for canary in begun if canary is not None), AT_A_TIME)]

    def _need(self, peer: Peer, now: float) -> Need | None:
        """As the function of that name, which most are not asked: of them nothing is new."""
        past = self._past.get(peer.id, NOTHING)
        known = self._resting.get(peer.id)
        if known is not None and now < known[2] and known[0] is peer and known[1] is past:
            return None
        why = need(peer, past, self.policy, now)
        if why is None:
            self._resting[peer.id] = (peer, past, rests_until(peer, past, self.policy))
        return why

    def _begin(
        self, receiver: Peer, why: Need, ring: Ring[Seat], peers: Mapping[str, Peer], now: float
    ) -> Canary | None:
        past = self._past.get(receiver.id, NOTHING)
        sender = choose(receiver, why, ring, peers, past, self._spent, self._reached, self.policy, now)
        if sender is None:
            return None
        canary = Canary(self._name(), sender.id, receiver.id, now)
        self._put(canary)
        self._spend(canary)
        self._learn(receiver.id, past.asked(why, sender.id, self.policy, now))
        self.counts[receiver.id]["sent"] += 1
        return canary

    def _spend(self, canary: Canary) -> None:
        spent = self.spent(canary.sender)
        self._spent[canary.sender] = replace(spent, times=(*spent.times, canary.at))
