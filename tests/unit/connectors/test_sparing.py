"""When a spare connector process is started, kept and thrown away, and when it may be used."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.host.sparing import (
    PAUSE,
    PAUSE_MAX,
    PROVEN,
    Act,
    View,
    decide,
    due_in,
    failures_after,
    may_succeed,
    pause,
)
from actors.supervision.spec import Intensity

TIMES = st.floats(0, 1e6)
VIEWS = st.builds(
    View,
    after=st.none() | st.floats(0.1, 1000),
    quiet_since=st.none() | TIMES,
    spare=st.booleans(),
    stale=st.booleans(),
    failures=st.integers(0, 100),
    failed_at=TIMES,
)
CALM = View(after=30.0, quiet_since=100.0, spare=False)


@given(VIEWS, TIMES)
def test_there_is_never_a_second_spare_nor_one_that_nobody_wants(view: View, now: float) -> None:
    act = decide(view, now)
    if act is Act.START:
        assert not view.spare
        assert view.after is not None
        assert view.quiet_since is not None
        assert now - view.quiet_since >= view.after - 1e-6
        assert now - view.failed_at >= pause(view.failures) - 1e-6
    if view.spare:
        assert (act is Act.DISCARD) == (view.after is None or view.stale)


@given(VIEWS, TIMES)
def test_it_is_started_when_it_was_said_to_be_due(view: View, now: float) -> None:
    due = due_in(view, now)
    if due is None:
        assert decide(view, now) is not Act.START
        return
    assert decide(view, now + due + 1e-3) is Act.START
    assert due == 0.0 or decide(view, now) is Act.NOTHING


def test_a_login_begins_the_quiet_time_anew() -> None:
    assert decide(CALM, 129.0) is Act.NOTHING
    assert decide(CALM, 130.0) is Act.START
    assert decide(replace(CALM, quiet_since=None), 1e6) is Act.NOTHING
    assert decide(replace(CALM, quiet_since=120.0), 149.0) is Act.NOTHING


@given(st.lists(st.floats(0, 2 * PROVEN), max_size=50))
def test_spares_that_die_come_less_and_less_often(lives: list[float]) -> None:
    failures = 0
    for lived in lives:
        before, failures = failures, failures_after(failures, lived)
        assert failures == (1 if lived >= PROVEN else before + 1)
        assert PAUSE <= pause(failures) <= PAUSE_MAX
        assert pause(failures) >= pause(before) or lived >= PROVEN
    assert pause(10_000) == PAUSE_MAX


@pytest.mark.parametrize(("spare", "ended", "moving", "stopping"), list(product((False, True), repeat=4)))
def test_it_takes_over_only_from_one_that_has_ended_for_certain(
    spare: bool,
    ended: bool,
    moving: bool,
    stopping: bool,
) -> None:
    allowed = may_succeed(
        spare=spare, ended=ended, moving=moving, stopping=stopping, taken=(), now=0.0, intensity=Intensity(1, 1.0)
    )
    assert allowed == ((spare, ended, moving, stopping) == (True, True, False, False))


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(0, 6), st.floats(0.1, 20))
def test_no_more_take_over_in_a_period_than_restarts_are_borne(gaps: list[float], restarts: int, period: float) -> None:
    intensity, now = Intensity(restarts, period), 1000.0
    taken: tuple[float, ...] = ()
    for gap in gaps:
        now += gap
        window = [at for at in taken if now - at <= period]
        allowed = may_succeed(
            spare=True, ended=True, moving=False, stopping=False, taken=taken, now=now, intensity=intensity
        )
        assert allowed == (len(window) < restarts)
        if allowed:
            taken = (*taken, now)
