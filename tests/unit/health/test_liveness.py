"""Liveness: which way evidence came decides, and quiet is never a fault."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.health.liveness import (
    CANARY_LOST,
    DEAF_BELOW,
    FAULTS,
    QUIET_AFTER_S,
    STUCK_AFTER_S,
    UNPROVEN_AFTER_S,
    UNUSUAL,
    Inbound,
    Liveness,
    judge,
)
from actors.health.score import UNPROVEN_CAP, score
from actors.health.signals import Signals, fold
from actors.health.status import Status, status
from actors.session.change import Change
from actors.session.sample import Sample
from actors.session.vocabulary import State

T0 = 1_795_000_000.0


def opened(at: float = T0) -> Signals:
    return fold(Signals(), Change(at, State.OPEN, State.CONNECTING), at)


def beating(signals: Signals, at: float, **more: float | None) -> Signals:
    """A sample of ``at`` with an answered heartbeat, and what ``more`` says."""
    values = {"last_in": at, "last_out": at, "last_heartbeat": at, **more}
    return fold(signals, Sample(since=at - 10, at=at, state="open", heartbeats=1, **values), at)  # type: ignore[arg-type]


def liveness(signals: Signals, now: float, inbound: Inbound = Inbound()) -> Liveness:  # noqa: B008  frozen
    verdict = judge(signals, now, inbound)
    assert verdict is not None
    return verdict.liveness


@pytest.mark.parametrize("state", [state for state in State if state is not State.OPEN])
def test_only_an_open_session_is_judged(state: State) -> None:
    assert judge(replace(opened(), state=state), T0 + 1) is None


def test_a_fresh_connection_is_alive() -> None:
    assert liveness(opened(), T0 + 1) is Liveness.ALIVE


def test_heartbeats_without_arrivals_are_quiet_and_no_more_for_ever() -> None:
    signals, now = opened(), T0
    for _ in range(1000):
        now += 10
        signals = beating(signals, now)
        assert liveness(signals, now) in {Liveness.ALIVE, Liveness.QUIET}
    assert now - T0 > QUIET_AFTER_S
    assert liveness(signals, now) is Liveness.QUIET
    assert status(signals, now, Liveness.QUIET) is Status.CONNECTED


def test_an_arrival_ends_the_quiet() -> None:
    now = T0 + 2 * QUIET_AFTER_S
    assert liveness(beating(opened(), now, last_delivery=now - 5), now) is Liveness.ALIVE


def test_silence_alone_is_never_deaf_however_unusual() -> None:
    now = T0 + 86_400
    assert liveness(beating(opened(), now), now, Inbound(0.0, 0)) is Liveness.QUIET


def test_an_unusual_silence_and_missed_canaries_are_deaf() -> None:
    now = T0 + 500
    signals = beating(opened(), now, last_delivery=T0 + 3)
    verdict = judge(signals, now, Inbound(UNUSUAL, 2))
    assert verdict is not None
    assert (verdict.liveness, verdict.since) == (Liveness.DEAF, T0 + 3)
    assert status(signals, now, verdict.liveness) is Status.ERROR
    computed = score(signals, now, verdict=verdict)
    assert computed is not None
    assert computed.total <= UNPROVEN_CAP


def test_one_lost_canary_is_not_enough_where_silence_is_usual() -> None:
    now = T0 + 500
    signals = beating(opened(), now, last_delivery=T0 + 3)
    assert liveness(signals, now, Inbound(1.0, 1)) is Liveness.ALIVE
    assert liveness(signals, now, Inbound(UNUSUAL, 1)) is Liveness.ALIVE


def test_one_lost_canary_is_never_enough_however_unusual_the_silence() -> None:
    signals = beating(opened(), T0 + 500, last_delivery=T0 + 3)
    assert liveness(signals, T0 + 500, Inbound(1e-9, 1)) is Liveness.QUIET
    assert liveness(signals, T0 + 500, Inbound(1e-9, 2)) is Liveness.DEAF


def test_canaries_that_never_arrive_make_any_silence_unusual() -> None:
    now = T0 + 500
    needed = next(n for n in range(1, 10) if CANARY_LOST**n < DEAF_BELOW)
    signals = beating(opened(), now, last_delivery=T0 + 3)
    assert liveness(signals, now, Inbound(1.0, needed - 1)) is Liveness.ALIVE
    assert liveness(signals, now, Inbound(1.0, needed)) is Liveness.DEAF


def test_a_message_that_stays_unacknowledged_is_stuck_while_heartbeats_are_answered() -> None:
    signals = beating(opened(), T0 + 29, unanswered_since=T0 + 5)
    assert liveness(signals, T0 + 59) is Liveness.ALIVE  # as of the sample it is not so old
    signals = beating(signals, T0 + 39, unanswered_since=T0 + 5)
    verdict = judge(signals, T0 + 39)
    assert verdict is not None
    assert (verdict.liveness, verdict.since) == (Liveness.OUTBOUND_STUCK, T0 + 5)
    assert liveness(beating(signals, T0 + 49, unanswered_since=None), T0 + 49) is Liveness.ALIVE


def test_without_a_proof_after_the_send_it_is_not_stuck() -> None:
    sent = T0 + 15
    sample = Sample(since=T0, at=sent + STUCK_AFTER_S, state="open", last_in=T0 + 10, unanswered_since=sent)
    assert liveness(fold(opened(), sample, sample.at), sample.at) is Liveness.ALIVE


def test_unanswered_heartbeats_are_half_open() -> None:
    assert liveness(replace(opened(), missed_in_a_row=2), T0 + 5) is Liveness.HALF_OPEN
    for age, expected in ((0, Liveness.ALIVE), (1, Liveness.HALF_OPEN)):
        at = T0 + UNPROVEN_AFTER_S + age
        assert liveness(fold(opened(), Sample(since=at - 10, at=at, state="open"), at), at) is expected


def test_late_samples_and_a_clock_set_ahead_are_no_fault_but_a_status_without_proof() -> None:
    signals = beating(opened(), T0 + 10, unanswered_since=T0 + 9)
    later = T0 + 10 + UNPROVEN_AFTER_S + 1
    assert liveness(signals, later) is Liveness.ALIVE
    assert status(signals, later, Liveness.ALIVE) is Status.ERROR, "nobody vouches for it"
    values = {"state": "open", "last_in": T0 + 10, "last_out": T0 + 10, "unanswered_since": T0 + 9}
    signals = fold(signals, Sample(since=T0 + 10, at=later, **values), later)  # type: ignore[arg-type]
    assert liveness(signals, later) is Liveness.ALIVE, "the heartbeat is not due yet"
    at = later
    while at <= later + UNPROVEN_AFTER_S:
        at += 10
        signals = fold(signals, Sample(since=at - 10, at=at, **values), at)  # type: ignore[arg-type]
    assert liveness(signals, at) is not Liveness.ALIVE


def test_who_tells_of_another_state_than_was_heard_of_is_not_judged_by_what_was_known_of_that() -> None:
    """As after a restart of health and of the session: its sample comes before the transition that it lost."""
    known, now = beating(opened(), T0 + 10), T0 + 11 + UNPROVEN_AFTER_S
    sample = Sample(since=now - 5, at=now, state="connecting")
    early = fold(known, sample, now)
    assert early.state is State.OPEN
    assert liveness(early, now) is not Liveness.HALF_OPEN
    assert liveness(fold(known, replace(sample, state="open"), now), now) is Liveness.HALF_OPEN


def test_a_new_connection_begins_without_the_old_ones_stuck_message() -> None:
    signals = beating(opened(), T0 + 40, unanswered_since=T0 + 5)
    again = fold(signals, Change(T0 + 41, State.WAITING, State.OPEN), T0 + 41)
    again = fold(again, Change(T0 + 42, State.OPEN, State.CONNECTING), T0 + 42)
    assert liveness(again, T0 + 42) is Liveness.ALIVE


PROBABILITIES = st.floats(0, 1)


@given(PROBABILITIES, PROBABILITIES, st.integers(0, 20), st.integers(0, 20), st.floats(0, 1e6))
def test_more_evidence_of_deafness_never_clears_a_session(
    one: float, other: float, few: int, more: int, age: float
) -> None:
    signals = beating(opened(), T0 + age, last_delivery=T0)
    less_doubt, more_doubt = Inbound(max(one, other), min(few, more)), Inbound(min(one, other), max(few, more))
    order = [Liveness.ALIVE, Liveness.QUIET, Liveness.DEAF]
    found = [order.index(liveness(signals, T0 + age, inbound)) for inbound in (less_doubt, more_doubt)]
    assert found[0] <= found[1]


@given(PROBABILITIES, st.floats(0, 1e7))
def test_nothing_is_deaf_without_a_missed_canary(silence: float, age: float) -> None:
    signals = beating(opened(), T0 + age)
    assert liveness(signals, T0 + age, Inbound(silence, 0)) not in FAULTS
