"""What is known of the way in: rhythm, silence and canaries of one session kept apart from each other."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from actors.health.canaries import Canaries
from actors.health.canary import Need, Past, Policy
from actors.health.canary_memory import Memory
from actors.health.listening import Listening
from actors.health.liveness import Inbound, Liveness
from actors.health.rhythm import Rhythm
from actors.health.senders import Ring, choose
from actors.health.signals import Signals, fold
from actors.session.change import Change
from actors.session.sample import Sample
from actors.session.vocabulary import State

MONDAY = datetime(2026, 9, 7, tzinfo=UTC).timestamp()
POLICY = Policy(enabled=True)


def listening() -> Listening:
    numbers = count()
    return Listening(Canaries(POLICY, lambda: f"C-{next(numbers)}"), UTC)


def opened(known: Listening, session: str, at: float = MONDAY, connector: str = "baileys", shard: int = 0) -> Signals:
    change = Change(at, State.OPEN, State.CONNECTING)
    known.changed(session, None, change, None, at)
    known.logged_in(session, f"1555{session}:3@s.whatsapp.net", connector, at)
    known.placed(session, shard, at)
    return replace(fold(Signals(), change, at), sampled_at=at)


def heard(at: float, **counts: int) -> Sample:
    return Sample(since=at - 10, at=at, state="open", **(counts or {"received": 1}))  # type: ignore[arg-type]


def share(known: Listening, session: str) -> float | None:
    return known.unstored()[session].share(0)


def test_messages_and_other_signs_are_rhythm_and_receipts_are_not() -> None:
    known = listening()
    for session, counts in (("a", {"received": 1}), ("b", {"heard": 1}), ("c", {"undecryptable": 1})):
        opened(known, session)
        known.sampled(session, heard(MONDAY + 600, **counts))
    opened(known, "d")
    known.sampled("d", heard(MONDAY + 600, receipts=5, acks=5))
    assert known.unstored().keys() == {"a", "b", "c"}


def test_a_canary_is_no_rhythm_and_what_comes_with_it_is() -> None:
    known = listening()
    signals = {id: opened(known, id) for id in "ab"}
    known.sampled("a", heard(MONDAY + 120))
    before = share(known, "a")
    peers = known.peers(signals, {})
    assert peers.keys() == {"a", "b"}
    begun = known.canaries.begin(peers, MONDAY + 7200)
    assert begun
    known.arrived("a", "unknown", MONDAY + 7201)
    known.sampled("a", heard(MONDAY + 7208, received=1, heard=1))
    assert known.unstored() == {}
    known.sampled("b", heard(MONDAY + 7208, received=2, heard=1))
    assert known.unstored().keys() == {"b"}
    assert before is not None


def test_a_deaf_sessions_silence_teaches_nothing() -> None:
    for last, learned in ((Liveness.DEAF, False), (Liveness.QUIET, True)):
        known = listening()
        signals = opened(known, "a")
        known.sampled("a", heard(MONDAY + 180))
        before = share(known, "a")
        known.changed("a", signals, Change(MONDAY + 3000, State.WAITING, State.OPEN), last, MONDAY + 3000)
        known.changed("a", None, Change(MONDAY + 3100, State.OPEN, State.CONNECTING), None, MONDAY + 3100)
        known.sampled("a", heard(MONDAY + 3400))
        after = share(known, "a")
        assert before is not None
        assert after is not None
        assert (after < before / 2) == learned


def test_simulated_sessions_reach_those_of_their_process_only() -> None:
    known = listening()
    signals = {
        "a": opened(known, "a", connector="simulator"),
        "b": opened(known, "b", connector="simulator", shard=1),
        "c": opened(known, "c", shard=0),
        "d": opened(known, "d", shard=1),
    }
    worlds = {id: peer.world for id, peer in known.peers(signals, {}).items()}
    assert len({worlds["a"], worlds["b"], worlds["c"]}) == 3
    assert worlds["c"] == worlds["d"]


def test_who_is_not_known_to_be_somebody_gets_no_canary() -> None:
    known = listening()
    signals = opened(known, "a")
    known.logged_in("a", None, "baileys", MONDAY)
    assert known.peers({"a": signals}, {}) == {}
    assert known.inbound("never seen", signals, MONDAY + 9999) == Inbound()


def test_a_stored_rhythm_goes_on() -> None:
    known = listening()
    signals = opened(known, "a")
    for minute in range(2, 60 * 24 * 7):
        known.sampled("a", heard(MONDAY + minute * 60))
    again = listening()
    again.restore(known.unstored())
    change = Change(MONDAY + 7 * 86_400, State.OPEN, State.STARTING, resumed=True)
    again.changed("a", None, change, None, change.at)
    later = fold(signals, Change(change.at, State.WAITING, State.OPEN), change.at)
    later = replace(fold(later, change, change.at), sampled_at=None)
    assert again.peers({"a": later}, {}) == {}
    assert again.inbound("a", later, change.at + 300) == Inbound(), "it has not told yet whether it heard anything"
    later = fold(later, heard(change.at + 300, heartbeats=1), change.at + 300)
    assert again.inbound("a", later, change.at + 300).unusual


def test_after_a_restart_the_time_before_is_not_learned_again() -> None:
    known = listening()
    change = Change(MONDAY, State.OPEN, State.STARTING, resumed=True)
    known.changed("a", None, change, None, MONDAY + 50 * 60)
    known.sampled("a", heard(MONDAY + 54 * 60))
    after = share(known, "a")
    assert after is not None
    assert after > 0.3


def test_trouble_of_some_gives_a_session_no_new_neighbours() -> None:
    known = listening()
    signals = {f"{number:02}": opened(known, f"{number:02}") for number in range(12)}
    near = {seat.id for seat in Ring(known.seats(signals), POLICY).neighbours(known.peers(signals, {})["00"])}
    first = min(near)
    far = {id for id in signals if id not in near}
    for state, stays in ((State.WAITING, True), (State.STOPPED, False)):
        signals[first] = replace(signals[first], state=state)
        peers = known.peers(signals, {})
        assert first not in peers
        ring = Ring(known.seats(signals), POLICY)
        found = {seat.id for seat in ring.neighbours(peers["00"])}
        assert (found == near) == stays
        assert near - {first} <= found
        distant = {id: peers[id] for id in far - found}
        at = MONDAY + 60
        none = choose(peers["00"], Need.ROUTINE, ring, distant, Past(), {}, {}, POLICY, at)
        assert none is None, "however few are left"
        chosen = choose(peers["00"], Need.ROUTINE, ring, peers, Past(), {}, {}, POLICY, at)
        assert chosen is not None
        assert chosen.id in found


def restarted(known: Listening, at: float, since: float = MONDAY) -> Listening:
    """A fresh one of a session that stays open all the while."""
    again = listening()
    again.restore({session: Rhythm.load(rhythm.dump()) for session, rhythm in known.unstored().items()})
    again.changed("a", None, Change(since, State.OPEN, State.STARTING, resumed=True), None, at)
    return again


def learned(known: Listening) -> float | None:
    return known.unstored()["a"].share(0)


def test_a_silence_goes_on_over_a_restart_if_nothing_came_meanwhile() -> None:
    never, known = listening(), listening()
    for one in (never, known):
        opened(one, "a")
        one.sampled("a", heard(MONDAY + 5 * 60))
    again = restarted(known, MONDAY + 20 * 60)
    again.sampled("a", replace(heard(MONDAY + 21 * 60, heartbeats=1), last_delivery=MONDAY + 5 * 60))
    for one in (never, again):
        one.sampled("a", replace(heard(MONDAY + 40 * 60), last_delivery=MONDAY + 40 * 60))
    assert learned(again) == learned(never)


def test_what_came_meanwhile_or_is_not_known_is_no_silence() -> None:
    for last in (MONDAY + 15 * 60, None):
        known = listening()
        opened(known, "a")
        known.sampled("a", heard(MONDAY + 5 * 60))
        again = restarted(known, MONDAY + 20 * 60)
        again.sampled("a", replace(heard(MONDAY + 21 * 60), last_delivery=last))
        before = Rhythm.load(again._ears["a"].rhythm.dump()).share(0)
        again.sampled("a", replace(heard(MONDAY + 22 * 60), last_delivery=MONDAY + 22 * 60))
        after = learned(again)
        assert before is not None
        assert after is not None
        assert after > before, "a busy minute and none of silence"


def test_a_silence_of_an_older_connection_does_not_go_on() -> None:
    known = listening()
    opened(known, "a")
    known.sampled("a", heard(MONDAY + 5 * 60))
    again = restarted(known, MONDAY + 20 * 60, since=MONDAY + 10 * 60)
    again.sampled("a", heard(MONDAY + 23 * 60))
    assert (learned(again) or 0) > 0.3


def test_a_doubted_silence_teaches_nothing_after_a_restart_either() -> None:
    for doubted in (False, True):
        known = listening()
        opened(known, "a")
        known.sampled("a", heard(MONDAY + 5 * 60))
        again = restarted(known, MONDAY + 20 * 60)
        silent = MONDAY + 5 * 60
        past = Past(last_at=silent + 300, missed=1 if doubted else 0, silent_since=silent)
        again.canaries.restore([], {"a": Memory(past)}, MONDAY + 20 * 60)
        again.sampled("a", replace(heard(MONDAY + 21 * 60, heartbeats=1), last_delivery=silent))
        again.sampled("a", replace(heard(MONDAY + 50 * 60), last_delivery=MONDAY + 50 * 60))
        again.sampled("a", replace(heard(MONDAY + 51 * 60), last_delivery=MONDAY + 51 * 60))
        assert ((learned(again) or 0) > 0.2) is doubted
