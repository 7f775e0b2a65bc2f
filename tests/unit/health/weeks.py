"""A fleet over weeks under a virtual clock, judged by the pure core.

People write to its sessions by day and hardly by night, in conversations, less on weekends and holidays, much more in
campaigns; its canaries get lost now and then.
"""

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from actors.health.canaries import Canaries
from actors.health.canary import Peer, Policy
from actors.health.listening import Listening
from actors.health.liveness import FAULTS, Liveness, Verdict, judge
from actors.health.signals import Signals
from actors.session.change import Change
from actors.session.sample import Sample
from actors.session.vocabulary import State

DAY, HOUR, WEEK = 86_400.0, 3600.0, 604_800.0
START = datetime(2026, 9, 7, tzinfo=UTC).timestamp()
"""A Monday."""
WARM_UP, SCORED = 28, 7
"""Days."""
IDLE_LOOK, LOOK = 60.0, 5.0
"""Seconds between looks at everybody, and at those whom a canary or a fault concerns, as in the actor."""
SAMPLE = 10.0
"""Seconds until a session's sample and its shard's report have told of something, at the latest."""
LOST = 0.005
"""Share of canaries that get lost."""
SLOW_EVERY = 97
"""Of so many canaries one is slow, but in time."""
KINDS = ((0.2, 150.0), (0.3, 30.0), (0.3, 4.0), (0.2, 0.2))
"""Share of the sessions, and messages an hour by day (before the variation from session to session)."""
HOLIDAYS = (16, 31)
"""Days since the start; one is in the week that is scored."""
CAMPAIGNS = (3, 12, 29, 33)
"""Days on which a tenth of the sessions get ten times as many messages for two hours."""


@dataclass(frozen=True)
class Life:
    """How people write to a session."""

    id: str
    rate: float
    """Messages an hour by day."""
    talk: float
    """Messages of a conversation, on average."""
    opens: int
    closes: int
    """Hours of its day."""

    def per_hour(self, day: int, hour: int, factor: float, campaign: bool) -> float:
        """Messages in an hour of a day since the start."""
        by_day = self.opens <= hour % 24 < self.closes
        share = (1.0 if by_day else 0.02) * (0.6 if hour % 24 == 12 else 1.0)
        share *= 0.25 if day % 7 >= 5 else 1.0
        share *= 0.05 if day in HOLIDAYS else 1.0
        boost = 10.0 if campaign and hour % 24 in {10, 11} else 1.0
        return self.rate * share * factor * boost


@dataclass
class Found:
    """What came of it."""

    faults: list[tuple[str, float, Verdict]] = field(default_factory=list)
    """Healthy sessions that were called faulty."""
    delays: dict[str, list[float]] = field(default_factory=lambda: {"lively": [], "other": []})
    """Seconds from going deaf to the verdict: where a message a minute is usual, and elsewhere."""
    waits: dict[str, list[float]] = field(default_factory=lambda: {"lively": [], "other": []})
    """Seconds from going deaf to the end, of those that were not noticed until then."""
    canaries: Counter[str] = field(default_factory=Counter)
    most_sent: int = 0
    """Canaries of one session within 24 hours."""
    unusual: int = 0
    """Minutes in which the silence of a healthy session was unusual."""


class Weeks:
    """``shift``: on the scored week's third day the habits of all move by an hour, as clocks do in autumn."""

    def __init__(
        self, seed: int, sessions: int, policy: Policy, zone: tzinfo = UTC, *, shift: bool = False, lost: float = LOST
    ) -> None:
        self._rng = random.Random(seed)
        self._lives = [self._life(number, sessions) for number in range(sessions)]
        self._shift = shift
        self._lost = lost
        self._numbers = iter(range(10**9))
        self.canaries = Canaries(policy, lambda: f"canary-{next(self._numbers)}")
        self._policy = policy
        self.listening = Listening(self.canaries, zone)
        self._opened: dict[str, float] = {}
        self._delivered: dict[str, float | None] = {}
        self._signals: dict[str, Signals] = {}
        self._verdicts: dict[str, Verdict | None] = {}
        self._unjudged: set[str] = set()
        """Whose verdict is of an older connection."""
        self._deaf: dict[str, float] = {}
        self._counts: dict[str, Counter[int]] = defaultdict(Counter)
        """Messages by the hour since the start."""
        self._full_look = 0.0
        self.found = Found()
        for life in self._lives:
            self._open(life.id, START)
            self.listening.logged_in(life.id, f"1555{len(self._opened):07}:1@s.whatsapp.net", "any", START)
            self.listening.placed(life.id, 0, START)

    def _life(self, number: int, sessions: int) -> Life:
        share, rate = (number + 0.5) / sessions, 0.0
        for width, rate in KINDS:  # noqa: B007  the last one reached is its kind
            if share < width:
                break
            share -= width
        opens = self._rng.randint(6, 9)
        return Life(
            f"session-{number:03}",
            rate * self._rng.lognormvariate(0.0, 0.4),
            self._rng.choice((1.0, 2.0, 4.0)),
            opens,
            opens + self._rng.randint(9, 13),
        )

    def _arrivals(self, life: Life, day: int) -> list[float]:
        """Times of a day."""
        rng, times = self._rng, []
        factor = rng.gammavariate(8.0, 1 / 8.0)  # no two days are the same
        campaign = day in CAMPAIGNS and rng.random() < 0.1
        moved = 1 if self._shift and day >= WARM_UP + 2 else 0
        for hour in range(24):
            begin = START + day * DAY + (hour + moved) * HOUR
            conversations = life.per_hour(day, hour, factor, campaign) / life.talk
            at = begin
            while conversations > 0 and (at := at + rng.expovariate(conversations / HOUR)) < begin + HOUR:
                message = at
                times.append(message)
                while rng.random() < 1 - 1 / life.talk:
                    message += rng.expovariate(1 / 40.0)
                    times.append(message)
        return sorted(times)

    def warm_up(self, days: int = WARM_UP) -> None:
        """Only learns."""
        for life in self._lives:
            for day in range(days):
                for at in self._arrivals(life, day):
                    self._heard(life.id, at)
        self.listening.compare()

    def _open(self, session: str, at: float) -> None:
        self.listening.changed(session, None, Change(at, State.OPEN, State.CONNECTING), None, at)
        self._opened[session], self._delivered[session] = at, None

    def _reconnect(self, session: str, at: float) -> None:
        """What recovery does about a deaf session."""
        change = Change(at, State.WAITING, State.OPEN)
        self.listening.changed(session, self._signals[session], change, Liveness.DEAF, at)
        self._open(session, at + 2)
        self._verdicts[session] = None
        self._unjudged.add(session)

    def _heard(self, session: str, at: float) -> None:
        self._counts[session][int((at - START) // HOUR)] += 1
        sample = Sample(since=at - SAMPLE, at=at, state="open", received=1, last_delivery=at)
        self.listening.sampled(session, sample)
        self._delivered[session] = at

    # the scored days

    def score(self, days: int = SCORED, deaf_every: float | None = None) -> Found:
        """Judges; ``deaf_every``: seconds between moments at which some session goes deaf, until that is noticed."""
        start, end = START + WARM_UP * DAY, START + (WARM_UP + days) * DAY
        coming = heapq.merge(*(self._days(life, days) for life in self._lives))
        events: list[tuple[float, int, str, str]] = []  # canaries on their way: time, tie, what, whose
        next_arrival = next(coming, None)
        now, next_deaf = start, start + (deaf_every or float("inf"))
        while now < end:
            now += LOOK if self._busy() else IDLE_LOOK
            while (events and events[0][0] <= now) or (next_arrival is not None and next_arrival[0] <= now):
                if events and (next_arrival is None or events[0][0] <= next_arrival[0]):
                    self._canary_event(*heapq.heappop(events))
                elif next_arrival is not None:
                    at, session = next_arrival
                    if session not in self._deaf:
                        self._heard(session, at)
                    next_arrival = next(coming, None)
            if now >= next_deaf:
                self._deafen(now)
                next_deaf += deaf_every or float("inf")
            self._look(now, events)
        for counts in self.canaries.counts.values():
            self.found.canaries.update(counts)
        for session, since in self._deaf.items():
            self.found.waits[self._kind(session, since)].append(now - since)
        return self.found

    def _days(self, life: Life, days: int) -> Iterator[tuple[float, str]]:
        for day in range(WARM_UP, WARM_UP + days):
            for at in self._arrivals(life, day):
                yield at, life.id

    def _busy(self) -> bool:
        return bool(self._deaf) or bool(self.canaries.under_way())

    def _deafen(self, now: float) -> None:
        session = self._rng.choice(self._lives).id
        if session not in self._deaf:
            self._deaf[session] = now

    def _canary_event(self, at: float, _tie: int, what: str, id: str) -> None:
        name, _, session = id.partition("/")
        if what == "accepted":
            self.canaries.accepted(name, at)
        elif session not in self._deaf:
            self._delivered[session] = at
            if what == "arrived":
                self.listening.arrived(session, name, at)
                sample = Sample(since=at - 1, at=at + 1, state="open", received=1, heard=1)
                self.listening.sampled(session, sample)

    def _doubtful(self) -> set[str]:
        """Whom a look between two full ones may concern."""
        return {*self._deaf, *self.canaries.under_way(), *self._unjudged}

    def _look(self, now: float, events: list[tuple[float, int, str, str]]) -> None:
        full = now - self._full_look >= IDLE_LOOK
        if full:
            self._full_look = now
            self.canaries.prune(now, now)
        doubtful, self._unjudged = self._doubtful(), set()
        for session in self._opened if full else doubtful:
            opened = self._opened[session]
            signals = self._signals[session] = Signals(
                state=State.OPEN,
                since=opened,
                last_in=now,
                last_out=now,
                last_heartbeat=now,
                last_delivery=self._delivered[session],
                sampled_at=now - SAMPLE,
            )
            inbound = self.listening.inbound(session, signals, now)
            verdict = self._verdicts[session] = judge(signals, now, inbound)
            assert verdict is not None
            if full and session not in self._deaf:
                self.found.unusual += inbound.unusual
            if verdict.liveness in FAULTS:
                self._noticed(session, verdict, now)
        peers: dict[str, Peer] = self.listening.peers(self._signals, self._verdicts)
        for canary in self.listening.begin(peers, now):
            spent = self.canaries.spent(canary.sender).within_day(now)
            self.found.most_sent = max(self.found.most_sent, spent)
            number = next(self._numbers)
            heapq.heappush(events, (now + 0.4, number, "accepted", canary.id))
            if self._rng.random() >= self._lost:
                took = self._rng.uniform(0.5, 3.0) if number % SLOW_EVERY else self._policy.timeout * 0.9
                heapq.heappush(events, (now + 0.4 + took, number, "arrived", f"{canary.id}/{canary.receiver}"))
                if canary.receiver not in self._deaf:  # its receipt
                    heapq.heappush(events, (now + 1.0 + took, number, "receipt", f"{canary.id}/{canary.sender}"))

    def _noticed(self, session: str, verdict: Verdict, now: float) -> None:
        since = self._deaf.pop(session, None)
        if since is None:
            self.found.faults.append((session, now, verdict))
        else:
            self.found.delays[self._kind(session, since)].append(now - since)
        self._reconnect(session, now)

    def _kind(self, session: str, at: float) -> str:
        """Lively if in the hours at hand, in each of the four weeks, at least a message a minute came."""
        counts = self._counts[session]
        hours = {int((moment - START) // HOUR) for moment in (at, at + 600.0)}
        weekly = [counts[hour - 168 * week] for hour in hours for week in range(1, 5)]
        return "lively" if min(weekly) >= 60 else "other"
