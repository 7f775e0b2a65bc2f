"""Back-off with full jitter."""

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.recovery.backoff import bound, full_jitter

seeds = st.integers(0, 2**32).map(random.Random)


def test_the_range_doubles_up_to_the_cap() -> None:
    assert [bound(n) for n in range(8)] == [1, 2, 4, 8, 16, 32, 32, 32]


@given(st.integers(-5, 10**9), seeds, st.floats(0.01, 60), st.floats(0, 600), st.floats(0, 60))
def test_a_delay_is_within_its_range(n: int, rng: random.Random, base: float, more: float, floor: float) -> None:
    cap = base + more
    delay = full_jitter(n, rng, base_s=base, cap_s=cap, floor_s=floor)
    assert floor <= delay <= floor + bound(n, base_s=base, cap_s=cap) <= floor + cap


@given(st.integers(0, 100), st.floats(0.01, 60), st.floats(0, 600))
def test_the_range_never_shrinks(n: int, base: float, more: float) -> None:
    assert bound(n, base_s=base, cap_s=base + more) <= bound(n + 1, base_s=base, cap_s=base + more)


def test_delays_fill_the_range_evenly() -> None:
    rng = random.Random(1)
    delays = [full_jitter(9, rng) for _ in range(4000)]
    assert statistics.mean(delays) == pytest.approx(16, rel=0.05)
    quarters = [sum(8 * k <= d < 8 * (k + 1) for d in delays) for k in range(4)]
    assert min(quarters) > 900
