"""Canaries over restarts of the health actor, at whatever moment: as if there had been none, but for the time."""

import random
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.health.canaries import Canaries
from actors.health.canary import Need, Outcome, Past, Peer, Policy
from actors.health.canary_memory import Memory
from actors.health.liveness import Inbound, Liveness
from actors.health.signals import Signals
from actors.session.vocabulary import State
from actors.store.records import Canary

T0 = 1_795_000_000.0
POLICY = Policy(enabled=True)
LOOK, SAMPLE, ANSWERED_S, ARRIVES_S = 5, 10, 1, 2
"""Seconds."""
UNUSUAL_AFTER = 600
ENDS = T0 + 3000
A_RESTART = 60.0
"""Seconds that a restart may cost beside its gap: a canary whose answer is lost is void after 20 s, and sent anew."""


@dataclass
class World:
    """Sessions and what is stored: all that a kill of the actor leaves alone."""

    deaf: frozenset[str] = frozenset()
    lost: frozenset[int] = frozenset()
    """Which canaries get lost on their way, by number."""
    late: frozenset[str] = frozenset()
    """Sessions whose actor restarts with that of health, and has then forgotten what it heard."""
    now: float = T0 + 20
    heard: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys("abc"))
    outbox: list[tuple[float, str, str]] = field(default_factory=list)
    coming: list[tuple[float, str, Canary]] = field(default_factory=list)
    rows: dict[str, Canary] = field(default_factory=dict)
    memories: dict[str, dict[str, object]] = field(default_factory=dict)
    numbers: "count[int]" = field(default_factory=count)

    def name(self) -> str:
        return str(next(self.numbers))

    def send(self, canary: Canary) -> None:
        self.coming.append((self.now + ANSWERED_S, "answer", canary))
        if canary.receiver not in self.deaf and int(canary.id) not in self.lost:
            self.coming.append((self.now + ARRIVES_S, "arrival", canary))

    def arrives(self, canary: Canary) -> None:
        self.outbox.append((self.now, canary.receiver, canary.id))
        self.heard[canary.receiver] = self.now


class Killed(Exception):
    """Here the actor ends."""


class Actor:
    """What the health actor does of canaries, with a moment at which it may end after each step."""

    def __init__(self, world: World, kills: list[int]) -> None:
        self.world, self.kills = world, kills
        self.canaries = Canaries(POLICY, world.name)
        memories = {session: Memory.load(data) for session, data in world.memories.items()}
        self.canaries.restore(sorted(world.rows.values(), key=lambda row: row.at), memories, world.now)
        self.cursor = len(world.outbox)
        self.sampled: dict[str, tuple[float, float | None]] = {}
        for upto in self.canaries.unread().values():
            for at, session, id in world.outbox[upto : self.cursor]:
                self.canaries.arrived(session, id, at)

    def moment(self) -> None:
        if self.kills:
            self.kills[0] -= 1
            if self.kills[0] < 0:
                self.kills.pop(0)
                raise Killed

    def peers(self) -> dict[str, Peer]:
        found = {}
        for id, (sampled_at, heard) in self.sampled.items():
            signals = Signals(state=State.OPEN, since=T0, sampled_at=sampled_at, last_delivery=heard)
            silent = max(T0, heard or 0.0)
            silence = 1e-4 if id == "b" and self.world.now - silent >= UNUSUAL_AFTER else 1.0
            found[id] = Peer(id, "any", id, signals, Liveness.ALIVE, silence, silent)
        return found

    def tick(self) -> None:
        world = self.world
        if world.now % SAMPLE == 0:
            for id in "abc":
                known = self.sampled.get(id, (0.0, None))[1]
                self.sampled[id] = (world.now, world.heard[id] or known)
            self.moment()
        if world.now % LOOK:
            return
        while self.cursor < len(world.outbox):
            at, session, id = world.outbox[self.cursor]
            self.cursor += 1
            self.canaries.arrived(session, id, at)
        self.moment()
        peers = self.peers()
        self.canaries.conclude(peers, world.now)
        begun = self.canaries.begin(peers, world.now)
        for canary in begun:
            self.canaries.reads_on(canary, 0, self.cursor)
        self.moment()
        self.store()
        self.moment()
        for canary in begun:
            world.send(canary)
            self.moment()

    def store(self) -> None:
        changed = self.canaries.take_changed()
        self.world.rows |= changed.canaries
        for session, memory in changed.memories.items():
            self.world.memories[session] = (memory or Memory()).dump()

    def answered(self, canary: Canary) -> None:
        self.canaries.accepted(canary.id, self.world.now)
        self.moment()
        self.store()

    def is_deaf(self, id: str) -> bool:
        peer = self.peers().get(id)
        return peer is not None and Inbound(peer.silence, self.canaries.missed(id, peer.silent_since)).is_deaf


def run(world: World, kills: list[tuple[int, int]]) -> tuple[float | None, float]:
    """``kills``: after how many moments the actor ends, and for how many seconds it is away.

    Returns when b was called deaf, if it was, and what the restarts until then may have cost.
    """
    moments, gaps = [after for after, _ in kills], [gap for _, gap in kills]
    actor: Actor | None = Actor(world, moments)
    back, cost = 0.0, 0.0
    while world.now < ENDS:
        world.now += 1
        happened = [one for one in world.coming if one[0] <= world.now]
        world.coming = [one for one in world.coming if one[0] > world.now]
        try:
            if actor is None and world.now >= back:
                actor = Actor(world, moments)
            for _, what, canary in happened:
                if what == "arrival":
                    world.arrives(canary)
            for _, what, canary in happened:
                if what == "answer" and actor is not None:
                    actor.answered(canary)
            if actor is not None:
                actor.tick()
                assert not any(actor.is_deaf(id) for id in "ac")
                if actor.is_deaf("b"):
                    return world.now, cost
        except Killed:
            gap = gaps[len(kills) - len(moments) - 1]
            actor, back = None, world.now + gap
            cost += gap + A_RESTART
            for id in world.late:
                world.heard[id] = None
    return None, cost


KILLS = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 100)), max_size=12)
BUSY = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 12)), max_size=60)
BUSY_MACHINE = pytest.mark.timeout(240)
"""A hundred hours of a fleet take 15 s of a processor, which others may use as well."""


@BUSY_MACHINE
@given(KILLS | BUSY)
def test_a_deaf_session_is_noticed_whatever_is_restarted_when(kills: list[tuple[int, int]]) -> None:
    never, _ = run(World(deaf=frozenset("b")), [])
    assert never is not None
    noticed, cost = run(World(deaf=frozenset("b")), kills)
    assert (noticed or ENDS) <= min(ENDS, never + cost)


@BUSY_MACHINE
@given(KILLS | BUSY, st.sets(st.integers(0, 12), max_size=4), st.sets(st.sampled_from("abc")))
def test_nothing_is_missed_but_what_was_lost(kills: list[tuple[int, int]], lost: set[int], late: set[str]) -> None:
    """Also where what a session heard is forgotten meanwhile."""
    world = World(lost=frozenset(lost), late=frozenset(late))
    noticed, _ = run(world, kills)
    missed = {int(row.id) for row in world.rows.values() if row.outcome == Outcome.MISSED}
    assert missed <= lost
    assert noticed is None or len(missed) >= 2


@pytest.mark.parametrize("seed", range(30))
def test_killed_each_half_minute_it_is_noticed_all_the_same(seed: int) -> None:
    """Four moments each ten seconds, and one for each answer and each canary that is sent: 8 to 14 in 20 to 35 s."""
    rng = random.Random(seed)
    noticed, _ = run(World(deaf=frozenset("b")), [(rng.randint(8, 14), rng.randint(1, 5)) for _ in range(400)])
    assert noticed is not None
    assert noticed <= T0 + UNUSUAL_AFTER + 300


def test_what_is_remembered_is_all_there_is() -> None:
    world = World(deaf=frozenset("b"), lost=frozenset({0}))
    actor = Actor(world, [])
    misses = set()
    while world.now < ENDS:
        world.now += 1
        due = [one for one in world.coming if one[0] <= world.now]
        world.coming = [one for one in world.coming if one[0] > world.now]
        for _, what, canary in due:
            if what == "answer":
                actor.answered(canary)
            else:
                world.arrives(canary)
        actor.tick()
        if world.now % LOOK == 0:
            known = Actor(world, []).canaries
            assert known.under_way() == actor.canaries.under_way()
            for id in "abc":
                since = max(T0, world.heard[id] or 0.0)
                assert known.missed(id, since) == actor.canaries.missed(id, since)
                assert known.doubted_since(id, since) == actor.canaries.doubted_since(id, since)
                assert known.spent(id).times == actor.canaries.spent(id).times
                misses.add(known.missed(id, since))
    assert misses >= {0, 1, 2}


def under_way(**fields: object) -> Canary:
    return replace(Canary("0", "a", "b", T0, T0 + 1, shard=3, read_upto=7), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("canary", "now", "goes_on"),
    [
        (under_way(), T0 + 30, True),
        (under_way(), T0 + 82, False),
        (under_way(accepted_at=None), T0 + 19, True),
        (under_way(accepted_at=None), T0 + 21, False),
        (under_way(read_upto=None), T0 + 5, False),
        (under_way(), T0 - 3600, False),
    ],
    ids=["in time", "over", "to be answered", "not answered", "unknown where", "clock set back"],
)
def test_what_was_under_way_is_again_if_its_arrival_can_be_known(canary: Canary, now: float, goes_on: bool) -> None:
    known = Canaries(POLICY, str)
    known.restore([canary], {}, now)
    assert known.is_under_way("b") is goes_on
    assert known.unread() == ({3: 7} if goes_on else {})
    ended = known.take_changed().canaries
    assert {one.outcome for one in ended.values()} == (set() if goes_on else {Outcome.VOID})
    off = Canaries(Policy(), str)
    off.restore([canary], {}, now)
    assert not off.is_under_way("b")


def test_one_whose_receiver_is_not_open_any_more_holds_nothing_up() -> None:
    for since, is_open, ended in ((T0 + 5, False, True), (T0 + 5, True, True), (T0 - 60, True, False)):
        known = Canaries(POLICY, str)
        known.restore([under_way()], {}, T0 + 10)
        assert known.conclude({}, T0 + 11) == [], "nothing is known of it yet"
        known.changed("b", since, is_open=is_open)
        assert known.conclude({}, T0 + 12) == ([("b", Outcome.VOID)] if ended else [])
        assert known.conclude({}, T0 + 82) == ([] if ended else [("b", Outcome.VOID)])


def test_what_could_not_be_stored_is_told_again_as_it_is_by_then() -> None:
    known = Canaries(POLICY, str)
    known.restore([under_way(accepted_at=None)], {}, T0 + 2)
    known.accepted("0", T0 + 3)
    changed = known.take_changed()
    assert not known.take_changed()
    known.arrived("b", "0", T0 + 4)
    known.give_back(changed)
    again = known.take_changed()
    assert again.canaries["0"].outcome == Outcome.ARRIVED
    assert again.memories["a"] == Memory(reached=T0 + 4)
    known.forget("a")
    assert known.take_changed().memories == {"a": None}


TIMES = st.floats(0, 4e9)
COUNTS = st.integers(0, 1000)
PASTS = st.builds(
    Past,
    last_at=TIMES,
    last_sender=st.text(),
    need=st.sampled_from(Need),
    missed=COUNTS,
    silent_since=TIMES,
    senders=st.frozensets(st.text()),
    vouched=st.booleans(),
    calm=COUNTS,
    calm_at=TIMES,
    void=COUNTS,
)


@given(st.builds(Memory, PASTS, TIMES), st.sampled_from(sorted(Memory().dump())))
def test_a_memory_is_what_was_stored_or_an_error(memory: Memory, name: str) -> None:
    data = memory.dump()
    assert Memory.load(data) == memory
    with pytest.raises(ValueError, match="stored"):
        Memory.load({key: value for key, value in data.items() if key != name})
