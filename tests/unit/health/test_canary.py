"""Canaries: when one is due, who may send it, and what its outcome proves."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.health.canaries import Canaries
from actors.health.canary import (
    ANSWER_S,
    AT_A_TIME,
    CALM_S,
    CONFIRM_S,
    CONFIRMATIONS,
    DAY_S,
    FIRST_PAUSE_S,
    LIVELY_PAUSE_S,
    SETTLED_S,
    SUSPICIOUS,
    Need,
    Outcome,
    Past,
    Peer,
    Policy,
    address_of,
    need,
    outcome,
    rests_until,
)
from actors.health.liveness import Liveness
from actors.health.senders import Spent, may_send
from actors.health.signals import Signals
from actors.session.causes import Cause
from actors.session.vocabulary import State
from actors.store.records import Canary

T0 = 1_795_000_000.0
POLICY = Policy(enabled=True)


def peer(id: str = "b", **fields: object) -> Peer:
    """Open for a minute, silent for as long, at T0 + 60."""
    signals = Signals(state=State.OPEN, since=T0, sampled_at=T0 + 60, last_delivery=T0)
    values = {
        "world": "baileys",
        "address": f"1555{id}@s.whatsapp.net",
        "signals": signals,
        "liveness": Liveness.ALIVE,
        "silence": 1.0,
        "silent_since": T0,
        **fields,
    }
    return Peer(id, **values)  # type: ignore[arg-type]


NOW = T0 + 60


def due(receiver: Peer, past: Past, policy: Policy, now: float) -> bool:
    return need(receiver, past, policy, now) is not None


@pytest.mark.parametrize(
    ("me", "address"),
    [
        ("15550001:7@s.whatsapp.net", "15550001@s.whatsapp.net"),
        ("15550001.0:7@s.whatsapp.net", "15550001@s.whatsapp.net"),
        ("15550001@s.whatsapp.net", "15550001@s.whatsapp.net"),
        ("98:1@lid", "98@lid"),
        (None, None),
        ("", None),
    ],
)
def test_the_address_is_that_of_the_account(me: str | None, address: str | None) -> None:
    assert address_of(me) == address


def test_one_is_due_where_silence_is_suspicious_and_once_an_interval() -> None:
    assert not due(peer(), Past(), POLICY, NOW)
    assert due(peer(silence=SUSPICIOUS / 2), Past(), POLICY, NOW)
    latest = POLICY.interval - CONFIRMATIONS * (POLICY.timeout + CONFIRM_S)
    assert not due(peer(), Past(), POLICY, T0 + latest - 0.21 * POLICY.interval)
    assert due(peer(), Past(), POLICY, T0 + latest)


def test_none_is_due_for_a_connection_that_is_not_open_or_just_opened() -> None:
    doubtful = peer(silence=0.0)
    assert not due(replace(doubtful, signals=replace(doubtful.signals, state=State.WAITING)), Past(), POLICY, NOW)
    assert not due(doubtful, Past(), POLICY, T0 + SETTLED_S - 1)


def test_a_missed_one_is_confirmed_at_once_in_the_same_silence_only() -> None:
    missed = Past(last_at=NOW - 30, missed=1, silent_since=T0)
    assert due(peer(), missed, POLICY, NOW)
    assert not due(peer(silent_since=T0 + 40), missed, POLICY, NOW)


def test_what_is_proved_is_not_asked_again() -> None:
    missed = Past(last_at=NOW - 30, missed=2, silent_since=T0, senders=frozenset("ac"), vouched=True)
    assert need(peer(silence=0.1), missed, POLICY, NOW) is Need.CONFIRMATION
    assert need(peer(silence=1e-4), missed, POLICY, NOW) is None
    assert need(peer(silence=1e-4), replace(missed, vouched=False), POLICY, NOW) is Need.CONFIRMATION


def test_what_is_promised_is_more_urgent_than_a_doubt() -> None:
    doubtful = peer(silence=SUSPICIOUS / 2)
    assert need(doubtful, Past(), POLICY, NOW) is Need.DOUBT
    assert need(replace(doubtful, lively=True), Past(), POLICY, NOW) is Need.SUSPICION
    assert need(doubtful, Past(), POLICY, T0 + POLICY.interval) is Need.ROUTINE
    assert Need.DOUBT < Need.ROUTINE < Need.SUSPICION < Need.CONFIRMATION


@given(st.lists(st.floats(1.0, 7200.0), max_size=60), st.integers(0, 9))
def test_on_any_day_a_lively_session_is_asked_in_time_and_not_too_often(gaps: list[float], calm: int) -> None:
    """Whatever people write on a holiday, and however many canaries have arrived."""
    past = Past(calm=calm, calm_at=NOW - 1)
    heard, asked, at = NOW, 0, NOW
    for gap in gaps:
        end = at + gap
        while (at := at + 5.0) < end:
            receiver = peer(silence=0.0 if at - heard >= 180 else 1.0, silent_since=heard, lively=True)
            if need(receiver, past, POLICY, at) is not None:
                asked, past, heard = asked + 1, past.asked(Need.SUSPICION, "a", POLICY, at).heard(), at
            assert at - heard < LIVELY_PAUSE_S + 5
        heard = at  # somebody writes
    assert asked <= (at - NOW) / FIRST_PAUSE_S + 1
    assert asked <= (at - NOW) / LIVELY_PAUSE_S + 2 * (at - NOW) / CALM_S + 3


@given(
    st.floats(0, 7200),
    st.floats(0, 7200),
    st.floats(0, 7200),
    st.floats(0, 1),
    st.sampled_from(Liveness),
    st.sampled_from([None, Cause.DEAF]),
    st.integers(0, 2),
)
def test_who_rests_needs_none(
    silent: float, last: float, later: float, silence: float, liveness: Liveness, cause: Cause | None, missed: int
) -> None:
    receiver = peer(silence=silence * SUSPICIOUS * 2, silent_since=NOW - silent, liveness=liveness)
    receiver = replace(receiver, signals=replace(receiver.signals, since=NOW - 7300, cause=cause))
    past = Past(last_at=NOW - last, missed=missed, silent_since=NOW - silent)
    if NOW + later < rests_until(receiver, past, POLICY):
        assert need(receiver, past, POLICY, NOW + later) is None


def test_on_a_holiday_they_grow_rarer() -> None:
    """Each arrives, and after it the silence is unusual again."""
    at, past, times = NOW, Past(), []
    while at < NOW + 6 * 3600:
        at += 60
        if due(peer(silence=0.0, silent_since=at - 600), past, POLICY, at):
            times.append(at)
            past = past.asked(Need.DOUBT, "a", POLICY, at).heard()
    assert len(times) <= 10


def test_a_deaf_session_gets_one_an_interval_and_a_stuck_one_none() -> None:
    assert not due(peer(liveness=Liveness.DEAF, silence=0.0), Past(last_at=NOW - 60), POLICY, NOW)
    assert due(peer(liveness=Liveness.DEAF), Past(last_at=NOW - 60), POLICY, NOW + POLICY.interval)
    assert not due(peer(liveness=Liveness.OUTBOUND_STUCK, silence=0.0), Past(), POLICY, NOW + POLICY.interval)


def test_after_those_that_prove_nothing_it_is_tried_seldom() -> None:
    known, peers = canaries(), fleet("a", "b")
    peers["b"] = replace(peers["b"], silence=0.0)
    at, times = NOW, []
    while at < NOW + 3600:
        for begun in known.begin(peers, at):
            times.append(at)
            known.refused(begun.id, at)
        at += 5
    assert 3 <= len(times) <= 9


def test_what_was_deaf_is_tried_at_once_on_its_new_connection() -> None:
    base = peer()
    again = replace(base, signals=replace(base.signals, cause=Cause.DEAF, last_delivery=T0 + 1))
    assert due(again, Past(last_at=T0 - 60), POLICY, T0 + SETTLED_S + 1)
    assert not due(again, Past(last_at=T0 + SETTLED_S), POLICY, T0 + 60), "once"
    hears = replace(again, signals=replace(again.signals, last_delivery=T0 + 5))
    assert not due(hears, Past(last_at=T0 - 60), POLICY, T0 + SETTLED_S + 1)


def sampled(at: float, heard: float | None = None, **fields: object) -> Peer:
    base = peer()
    return replace(base, signals=replace(base.signals, sampled_at=at, last_delivery=heard, **fields))  # type: ignore[arg-type]


def test_what_becomes_of_one() -> None:
    sent = Canary("C", "a", "b", NOW)
    accepted = replace(sent, accepted_at=NOW + 1)
    over = NOW + 1 + POLICY.timeout
    assert outcome(sent, sampled(NOW), POLICY, NOW + ANSWER_S) is None
    assert outcome(sent, sampled(NOW), POLICY, NOW + ANSWER_S + 1) is Outcome.VOID
    assert outcome(accepted, sampled(over - 1), POLICY, over + 5) is None, "the receiver's word is still to come"
    assert outcome(accepted, sampled(over), POLICY, over + 5) is Outcome.MISSED
    assert outcome(accepted, sampled(over, heard=NOW + 3), POLICY, over + 5) is Outcome.VOID, "it hears"
    assert outcome(accepted, sampled(over, since=NOW + 2), POLICY, over + 5) is Outcome.VOID, "another connection"
    assert outcome(accepted, sampled(over, state=State.WAITING), POLICY, over + 5) is Outcome.VOID
    assert outcome(accepted, None, POLICY, over + 5) is Outcome.VOID


def fleet(*ids: str, **fields: object) -> dict[str, Peer]:
    return {id: peer(id, **fields) for id in ids}


def canaries(policy: Policy = POLICY) -> Canaries:
    numbers = count()
    return Canaries(policy, lambda: f"C-{next(numbers)}")


def test_without_the_operators_will_there_are_none() -> None:
    assert canaries(Policy()).begin(fleet("a", "b", silence=0.0), NOW) == []


def test_only_those_that_take_part_send_and_get_them() -> None:
    chosen = canaries(replace(POLICY, sessions=frozenset("ab")))
    begun = chosen.begin(fleet("a", "b", "c", silence=0.0), NOW)
    assert {(one.sender, one.receiver) for one in begun} <= {("a", "b"), ("b", "a")}
    assert begun
    assert canaries(replace(POLICY, sessions=frozenset("a"))).begin(fleet("a", "b", silence=0.0), NOW) == []


def test_one_is_under_way_at_a_time_and_misses_add_up() -> None:
    known, peers = canaries(), fleet("a", "b", "c")
    peers["b"] = replace(peers["b"], silence=0.9 * SUSPICIOUS)
    at = NOW
    for missed in range(1, 3):
        (begun,) = known.begin(peers, at)
        assert begun.receiver == "b"
        assert known.begin(peers, at + 1) == []
        known.accepted(begun.id, at + 1)
        at += 1 + POLICY.timeout
        peers["b"] = replace(peers["b"], signals=replace(peers["b"].signals, sampled_at=at))
        assert known.conclude(peers, at) == [("b", Outcome.MISSED)]
        assert known.missed("b", T0) == missed
    assert known.missed("b", T0 + 1) == 0, "in another silence"
    (last,) = known.begin(peers, at + 1)
    assert known.arrived("b", last.id, at + 2) == "b"
    assert known.missed("b", T0) == 0
    assert known.counts["b"] == {"sent": 3, "missed": 2, "arrived": 1, "void": 0}


def test_a_restart_keeps_the_budget_and_repeats_nothing() -> None:
    policy = replace(POLICY, daily_budget=2)
    known, peers = canaries(policy), fleet("a", "b", silence=0.0)
    stored = [*known.begin(peers, NOW)]
    known.take_changed()
    again = canaries(policy)
    again.restore([Canary("old", "a", "b", NOW - 3600, NOW - 3599, NOW - 3598, "arrived"), *stored], {}, NOW + 1)
    ended = again.take_changed().canaries.values()
    assert [one.outcome for one in ended] == [Outcome.VOID] * len(stored), "where they would arrive is not known"
    assert not again.is_under_way("a")
    assert again.spent("a").within_day(NOW + 1) == 2
    assert not may_send(peers["a"], again.spent("a"), Need.CONFIRMATION, policy, NOW + 60)


def test_the_misses_of_one_sender_count_as_one_until_it_reaches_somebody() -> None:
    for third in (False, True):
        known, peers = canaries(), fleet("a", "b", *("c" if third else ""))
        peers["b"] = replace(peers["b"], silence=0.0)
        if third:
            peers["c"] = replace(peers["c"], silence=0.0, signals=replace(peers["c"].signals, unanswered_since=T0))
        at, times = NOW, []
        while at < NOW + 3000:
            for begun in known.begin(peers, at):
                known.accepted(begun.id, at)
                if begun.receiver == "b":
                    assert begun.sender == "a"
                    times.append(at)
                else:
                    known.arrived(begun.receiver, begun.id, at)
            at += 5
            signals = replace(peers["b"].signals, sampled_at=at)
            peers["b"] = replace(peers["b"], signals=signals)
            known.conclude(peers, at)
        assert (known.missed("b", T0) > 1) is third
        assert third or len(times) == CONFIRMATIONS, "no more are spent on it before the interval is over"


def test_a_clock_that_was_set_back_stops_none() -> None:
    ahead = NOW + 7200
    fresh = peer(silence=0.0)
    later = replace(fresh, signals=replace(fresh.signals, since=ahead), silent_since=ahead)
    assert due(later, Past(last_at=ahead), POLICY, NOW)
    assert not due(later, Past(last_at=NOW - 1), POLICY, NOW)
    assert may_send(later, Spent((ahead,)), Need.CONFIRMATION, POLICY, NOW)
    assert not may_send(later, Spent((ahead,) * POLICY.daily_budget), Need.CONFIRMATION, POLICY, NOW), (
        "it counts all the same"
    )
    assert Spent((NOW + 2 * DAY_S,)).within_day(NOW) == 0
    under_way = Canary("C", "a", "b", ahead, ahead + 1)
    assert outcome(under_way, fresh, POLICY, NOW) is Outcome.VOID
    after = NOW + 1 + POLICY.timeout
    heard = replace(later, signals=replace(later.signals, last_delivery=ahead, sampled_at=after))
    assert outcome(Canary("C", "a", "b", NOW, NOW + 1), heard, POLICY, after) is Outcome.MISSED


def test_what_arrives_at_another_device_of_the_account_proves_nothing() -> None:
    known, peers = canaries(), fleet("a", "b", "c")
    peers["b"] = replace(peers["b"], silence=0.0)
    peers["c"] = replace(peers["c"], address=peers["b"].address)
    (begun,) = known.begin(peers, NOW)
    assert known.arrived("c", begun.id, NOW + 1) is None
    assert known.is_under_way("b")
    assert known.arrived("b", begun.id, NOW + 2) == "b"


def test_a_session_that_comes_back_has_no_new_budget() -> None:
    known, peers = canaries(), fleet("a", "b")
    peers["b"] = replace(peers["b"], silence=0.0)
    assert known.begin(peers, NOW)
    known.forget("a")
    known.prune(NOW + 1, 1.0)
    assert known.spent("a").within_day(NOW + 1) == 1
    known.prune(NOW + DAY_S, DAY_S)
    assert known.spent("a").within_day(NOW + DAY_S) == 0
    known.prune(NOW + 2 * DAY_S, 2 * DAY_S)
    assert known.spent("a") == Spent()


def test_a_clock_that_was_ahead_gives_no_new_budget() -> None:
    known, peers = canaries(), fleet("a", "b")
    known.restore([Canary(f"C{n}", "a", "b", NOW - n, outcome="arrived") for n in range(3)], {}, NOW)
    peers["b"] = replace(peers["b"], silence=0.0)
    ahead = NOW + 2 * DAY_S
    known.prune(ahead, 1.0)
    assert known.begin(peers, ahead)
    known.prune(NOW + 2, 2.0)
    assert known.spent("a").within_day(NOW + 2) == 3
    known.prune(NOW + 2 + 3 * DAY_S, 2 + 3 * DAY_S)
    known.prune(NOW + 2 + 4 * DAY_S, 2 + 4 * DAY_S)
    assert known.spent("a") == Spent()


def test_an_answer_that_comes_twice_or_too_late_changes_nothing() -> None:
    known, peers = canaries(), fleet("a", "b", "c")
    peers["b"] = replace(peers["b"], silence=0.0)
    (begun,) = known.begin(peers, NOW)
    assert known.refused(begun.id, NOW + 1) == "b"
    before = dict(known.counts["b"])
    known.accepted(begun.id, NOW + 2)
    assert known.refused(begun.id, NOW + 3) is None
    assert known.arrived("b", begun.id, NOW + 4) is None
    assert known.counts["b"] == before


def test_those_to_whom_nobody_can_write_keep_nobody_from_their_turn() -> None:
    peers = {str(number): peer(str(number), world=f"world {number}", silence=0.0) for number in range(2 * AT_A_TIME)}
    peers |= {"x": peer("x", silence=SUSPICIOUS / 2), "y": peer("y")}
    assert [(one.sender, one.receiver) for one in canaries().begin(peers, NOW)] == [("y", "x")]
