"""Plans: each cause gets what its row of the table says, whatever the numbers."""

import math
import random
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.recovery.plans import SUSPECT_REMEDY, Action, Plan, Policy, bounds, plan
from actors.session.causes import Cause, Disposition

NOW = 1_700_000_000.0
POLICY = Policy()
values = (
    st.none() | st.text(max_size=6) | st.floats() | st.integers() | st.sampled_from(["86400", "-5", "inf", "1e400"])
)
data = st.dictionaries(st.sampled_from(["expire", "retryAfter", "code"]), values)
causes, attempts = st.sampled_from(Cause), st.integers(1, 10**6)
few = st.integers(-1, 12)
policies = st.builds(
    lambda base, more: Policy(base_s=base, cap_s=base + more), st.floats(0.01, 3600.0), st.floats(0.0, 3600.0)
)


def made(cause: Cause, attempt: int = 1, given: dict[str, Any] | None = None, seed: int = 0) -> Plan:
    return plan(cause, attempt, given or {}, NOW, random.Random(seed))


@given(causes, attempts, data, st.integers(0, 2**32))
def test_every_cause_has_a_plan_that_fits_its_disposition(
    cause: Cause, attempt: int, given: dict[str, Any], seed: int
) -> None:
    decided = made(cause, attempt, given, seed)
    assert math.isfinite(decided.delay_s)
    assert decided.delay_s >= 0
    assert decided.remedy
    assert decided.strategy
    assert made(cause, attempt, given, seed) == decided
    match cause.disposition:
        case Disposition.AT_ONCE | Disposition.BACK_OFF:
            assert decided.action is Action.RECONNECT
            assert decided.delay_s <= POLICY.cap_s + max(POLICY.refused_floor_s, POLICY.retry_after_max_s)
        case Disposition.FEW_TRIES:
            assert decided.action is (Action.RECONNECT if attempt <= 3 else Action.HALT)
        case Disposition.WAIT_UNTIL:
            assert decided.action is Action.WAIT_UNTIL
            assert decided.until == NOW + decided.delay_s
            assert 0 < decided.delay_s <= POLICY.ban_max_s
        case Disposition.HALT | Disposition.BLOCK:
            assert (decided.action, decided.delay_s) == (Action.HALT, 0)
        case Disposition.IDLE:
            assert decided.action is Action.IDLE
        case Disposition.NONE:
            assert decided.action is Action.NONE


@given(causes, few | attempts, data, st.integers(0, 2**32), policies)
def test_a_delay_lies_within_the_bounds_that_are_told(
    cause: Cause, attempt: int, given: dict[str, Any], seed: int, policy: Policy
) -> None:
    decided = plan(cause, attempt, given, NOW, random.Random(seed), policy)
    within = bounds(cause, attempt, given, policy)
    if decided.action in {Action.RECONNECT, Action.WAIT_UNTIL}:
        assert within is not None
        assert within[0] <= decided.delay_s <= within[1]
    else:
        assert (within, decided.delay_s) == (None, 0.0)


@pytest.mark.parametrize(
    ("cause", "attempt", "given", "within"),
    [
        (Cause.CONNECTION_LOST, 1, {}, (0.0, 30.0)),
        (Cause.CONNECTION_LOST, 9, {}, (0.0, 600.0)),
        (Cause.CONNECTION_LOST, 2, {"retryAfter": "90"}, (90.0, 150.0)),
        (Cause.HTTP_RATE_LIMITED, 1, {}, (10.0, 40.0)),
        (Cause.TOKEN_EXPIRED, 2, {}, (0.0, 20.0)),
        (Cause.TOKEN_EXPIRED, 4, {}, None),
        (Cause.RESTART_REQUIRED, 3, {}, (0.0, 0.0)),
        (Cause.RESTART_REQUIRED, 5, {}, (0.0, 60.0)),
        (Cause.TEMPORARY_BAN, 1, {"expire": "60"}, (60.0, 60.0)),
        (Cause.LOCKED, 1, {}, None),
    ],
)
def test_the_bounds_of_a_policy(
    cause: Cause, attempt: int, given: dict[str, Any], within: tuple[float, float] | None
) -> None:
    assert bounds(cause, attempt, given, Policy(base_s=30.0, cap_s=600.0)) == within


def test_delays_fill_the_range_evenly() -> None:
    delays = [made(Cause.CONNECTION_LOST, 10, seed=seed).delay_s for seed in range(4000)]
    assert statistics.mean(delays) == pytest.approx(16, rel=0.05)
    quarters = [sum(8 * k <= d < 8 * (k + 1) for d in delays) for k in range(4)]
    assert min(quarters) > 900


@given(causes.filter(lambda c: c.is_blocked or c is Cause.CONNECTION_REPLACED), attempts, data)
def test_what_retrying_makes_worse_is_never_retried(cause: Cause, attempt: int, given: dict[str, Any]) -> None:
    assert made(cause, attempt, given).action in {Action.HALT, Action.WAIT_UNTIL}


def test_515_is_at_once_three_times_and_then_backs_off_from_the_beginning() -> None:
    assert [made(Cause.RESTART_REQUIRED, n).delay_s for n in (1, 2, 3)] == [0, 0, 0]
    for seed in range(50):
        assert made(Cause.RESTART_REQUIRED, 4, seed=seed).delay_s <= 1


@given(st.integers(1, 12), st.integers(0, 999))
def test_a_transient_cause_backs_off_from_1_s_to_32_s(attempt: int, seed: int) -> None:
    decided = made(Cause.CONNECTION_LOST, attempt, seed=seed)
    assert decided.delay_s <= min(32, 2 ** (attempt - 1))
    assert decided.strategy == ("slow_lane" if attempt >= 6 else "back_off")


@pytest.mark.parametrize(
    ("expire", "seconds"), [("86400", 86_400), (60, 60), ("x", 86_400), (None, 86_400), ("-1", 86_400)]
)
def test_a_ban_lasts_as_long_as_it_says(expire: Any, seconds: float) -> None:
    assert made(Cause.TEMPORARY_BAN, 1, {"expire": expire}).until == NOW + seconds


@pytest.mark.parametrize("cause", [Cause.HTTP_RATE_LIMITED, Cause.HTTP_FORBIDDEN])
def test_a_server_that_sees_too_much_of_us_sees_less(cause: Cause) -> None:
    assert made(cause).delay_s >= 10
    assert made(cause, 1, {"retryAfter": "90"}).delay_s >= 90


def test_a_bad_session_that_does_not_end_makes_the_auth_state_suspect_but_is_retried() -> None:
    assert made(Cause.BAD_SESSION, 4).remedy == Cause.BAD_SESSION.remedy
    assert made(Cause.BAD_SESSION, 5).remedy == SUSPECT_REMEDY
    assert made(Cause.BAD_SESSION, 500).action is Action.RECONNECT


def test_who_was_thrown_out_is_told_to_pair_again() -> None:
    assert {c for c in Cause if made(c).strategy == "pair_again"} == {c for c in Cause if c.needs_pairing}
