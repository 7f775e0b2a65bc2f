"""From whom canaries come: few and always the same, within their budgets, and so that a miss is confirmed."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.health.canary import SUSPICIOUS, Need, Past, Peer, Policy
from actors.health.counts import Bucket, Counts
from actors.health.liveness import Liveness
from actors.health.senders import NEIGHBOURS, Ring, Spent, budget, choose, may_send
from actors.health.signals import Signals
from actors.session.inputs.connector import MessageCap
from actors.session.vocabulary import State

T0 = 1_795_000_000.0
NOW = T0 + 60
POLICY = Policy(enabled=True)
NEEDS = st.sampled_from(Need)


def peer(id: str, world: str = "baileys", address: str | None = None, silence: float = 1.0) -> Peer:
    """Open for a minute, silent for as long, at NOW."""
    signals = Signals(state=State.OPEN, since=T0, sampled_at=NOW, last_delivery=T0)
    return Peer(id, world, address or f"1555{id}@s.whatsapp.net", signals, Liveness.ALIVE, silence, T0)


def fleet(size: int) -> list[Peer]:
    return [peer(f"{number:03}") for number in range(size)]


def spent(*times: int) -> dict[str, Spent]:
    """Of the first, the second and so on, so many a while ago."""
    return {f"{number:03}": Spent(tuple(NOW - 600.0 for _ in range(n))) for number, n in enumerate(times)}


REFUSED = (Bucket(int(NOW // 60), Counts(nacks={463: 1})),)
RESTRICTED = {
    "time-locked": {"timelocked": True},
    "no new chats": {"new_chats": MessageCap(10, 10, capped=True)},
    "refused with 463": {"minutes": REFUSED},
    "waits for an acknowledgement": {"unanswered_since": NOW - 1},
    "not open": {"state": State.WAITING},
    "just opened": {"since": NOW - 1},
}


@pytest.mark.parametrize("fields", RESTRICTED.values(), ids=RESTRICTED)
def test_restricted_accounts_send_none(fields: Mapping[str, object]) -> None:
    able = peer("a")
    assert may_send(able, Spent(), Need.ROUTINE, POLICY, NOW)
    assert not may_send(replace(able, signals=replace(able.signals, **fields)), Spent(), Need.CONFIRMATION, POLICY, NOW)  # type: ignore[arg-type]


@given(NEEDS, st.integers(1, 200), st.integers(0, 250))
def test_nobody_sends_more_than_its_budget_within_24_hours(need: Need, daily: int, sent: int) -> None:
    policy = replace(POLICY, daily_budget=daily)
    may = may_send(peer("a"), Spent((NOW - 600.0,) * sent), need, policy, NOW)
    assert may == (sent < budget(policy, need))
    assert 1 <= budget(policy, need) <= budget(policy, Need.CONFIRMATION) == daily
    assert all(budget(policy, a) < daily for a in Need if a < Need.CONFIRMATION and daily > 1), "one is kept for it"
    assert all(budget(policy, a) <= budget(policy, b) for a in Need for b in Need if a < b)


@given(st.integers(0, 30), st.randoms(use_true_random=False))
def test_sessions_write_to_few_and_these_to_them(size: int, rng: object) -> None:
    peers = fleet(size)
    ring = Ring(peers, POLICY)
    near = {one.id: {other.id for other in ring.neighbours(one)} for one in peers}
    shuffled = sorted(peers, key=lambda _: rng.random())  # type: ignore[attr-defined]
    again = Ring(shuffled, POLICY)
    for one in peers:
        assert one.id not in near[one.id]
        assert min(2, size - 1) <= len(near[one.id]) <= NEIGHBOURS
        assert all(one.id in near[other] for other in near[one.id]), "so that nobody writes to more than these"
        assert {other.id for other in again.neighbours(one)} == near[one.id]


@given(st.integers(NEIGHBOURS + 2, 40), st.integers(0, 39))
def test_who_comes_changes_the_neighbours_of_four_at_most(size: int, number: int) -> None:
    peers = fleet(size)
    new = peers[number % size]
    after, before = Ring(peers, POLICY), Ring([one for one in peers if one is not new], POLICY)
    if size - 1 > NEIGHBOURS + 1:
        changed = [one for one in peers if one is not new and after.neighbours(one) != before.neighbours(one)]
        assert len(changed) <= NEIGHBOURS


def test_neighbours_have_nothing_to_do_with_names() -> None:
    peers = fleet(100)
    ring = Ring(peers, POLICY)
    apart = [abs(int(one.id) - int(other.id)) for one in peers for other in ring.neighbours(one)]
    assert sum(distance <= 2 for distance in apart) < len(apart) / 10


@given(st.integers(0, 12), st.sampled_from(["a", "b"]))
def test_only_those_of_its_world_write_to_a_session(receiver: int, world: str) -> None:
    peers = [peer(f"{n:02}", world="a" if n % 3 else "b") for n in range(13)]
    found = Ring(peers, POLICY).neighbours(replace(peers[receiver], world=world))
    assert all(one.world == world for one in found)
    assert len(found) >= 2


def test_two_devices_of_one_account_do_not_write_to_each_other() -> None:
    one, other = peer("a"), peer("b", address=peer("a").address)
    ring = Ring([one, other], POLICY)
    assert choose(one, Need.ROUTINE, ring, {"a": one, "b": other}, Past(), {}, {}, POLICY, NOW) is None


def test_the_next_one_comes_from_another_sender() -> None:
    peers = {one.id: one for one in fleet(3)}
    for last, other in (("001", "002"), ("002", "001")):
        past = Past(last_sender=last)
        found = choose(peers["000"], Need.ROUTINE, Ring(peers.values(), POLICY), peers, past, {}, {}, POLICY, NOW)
        assert found is not None
        assert found.id == other


def test_a_sender_is_asked_who_has_to_hear_something_itself() -> None:
    peers = {one.id: one for one in fleet(3)}
    peers["002"] = replace(peers["002"], silence=SUSPICIOUS / 2)
    ring = Ring(peers.values(), POLICY)
    for sent, expected in (((0, 0, 5), "002"), ((0, 0, 12), "001")):
        found = choose(peers["000"], Need.ROUTINE, ring, peers, Past(), spent(*sent), {}, POLICY, NOW)
        assert found is not None
        assert found.id == expected


@given(
    st.sets(st.integers(1, 4)),
    st.sets(st.integers(1, 4)),
    st.lists(st.integers(0, 48), min_size=5, max_size=5),
    st.integers(0, 4),
)
def test_a_miss_is_confirmed_by_another_best_by_one_that_reaches_others(
    missed: set[int], reached: set[int], sent: list[int], last: int
) -> None:
    peers = {one.id: one for one in fleet(5)}
    past = Past(
        NOW - 30,
        f"{last:03}",
        missed=len(missed),
        silent_since=T0,
        senders=frozenset(f"{number:03}" for number in missed),
    )
    proven = {f"{number:03}": T0 + 1 for number in reached}
    ring = Ring(peers.values(), POLICY)
    found = choose(peers["000"], Need.CONFIRMATION, ring, peers, past, spent(*sent), proven, POLICY, NOW)
    able = {number for number in range(1, 5) if sent[number] < POLICY.daily_budget}
    assert (found is None) == (not able), "its whole budget is for that"
    if found is None:
        return
    number = int(found.id)
    assert number in able
    others = able - missed - {last}
    assert number in others or not others
    assert number in reached or not (others & reached)
