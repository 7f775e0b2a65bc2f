"""How long a host stays when its connector can't live, so that nobody else is taken along."""

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from actors.connectors.host.fault import LONGEST_LINGER, linger
from actors.supervision.decision import add_restart, restart_delay
from actors.supervision.spec import Backoff, Intensity


@given(st.integers(1, 50), st.floats(0.5, 60), st.floats(0, 2), st.integers(0, 2**32))
def test_a_connector_that_never_lives_does_not_end_its_shard(
    restarts: int, period: float, start: float, seed: int
) -> None:
    assume(linger(restarts, restarts, period) < LONGEST_LINGER)  # else the operator wants to be patient
    rng, now = random.Random(seed), 0.0
    recent: tuple[float, ...] = ()
    for failures in range(100):
        now += start + linger(failures, restarts, period)  # it starts, and fails at once
        recent, too_many = add_restart(recent, now, Intensity(restarts, period))
        assert not too_many, (failures, recent)
        now += restart_delay(failures + 1, Backoff(minimum=0.0, maximum=0.0), rng)


def test_the_first_failures_cost_no_time_and_none_costs_much() -> None:
    assert [linger(failures, 5, 10.0) for failures in range(5)] == [0.0, 0.0, *[pytest.approx(11 / 3)] * 3]
    assert linger(1000, 1, 3600.0) == LONGEST_LINGER
    assert linger(1000, 0, 10.0) == 0.0
