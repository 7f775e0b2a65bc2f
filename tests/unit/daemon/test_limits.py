import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.limits import Bucket, Limiter, LimitReachedError, take

rates = st.floats(0.1, 1000)
bursts = st.integers(1, 100)
steps = st.lists(st.floats(0, 10), max_size=60)


@given(rates, bursts, steps)
def test_never_more_than_the_burst_and_the_rate_allow(rate: float, burst: int, gaps: list[float]) -> None:
    bucket: Bucket | None = None
    now, taken = 100.0, 0
    for gap in gaps:
        now += gap
        bucket, wait = take(bucket, now, rate, burst)
        taken += wait == 0
    assert taken <= burst + rate * (now - 100.0) + 1e-6


@given(rates, bursts, steps)
def test_who_waits_as_told_gets_one(rate: float, burst: int, gaps: list[float]) -> None:
    bucket: Bucket | None = None
    now = 0.0
    for gap in gaps:
        now += gap
        bucket, wait = take(bucket, now, rate, burst)
        assert wait >= 0
        if wait > 0:
            now += wait + 1e-6
            bucket, wait = take(bucket, now, rate, burst)
            assert wait == 0


@given(rates, bursts, st.floats(0, 100))
def test_a_clock_that_jumps_back_refills_nothing(rate: float, burst: int, back: float) -> None:
    bucket, _ = take(Bucket(0.0, 200.0), 200.0 - back, rate, burst)
    assert bucket.left < 1


def test_limits_are_per_token_and_places_are_given_back() -> None:
    now = 0.0
    limiter = Limiter(rate=1.0, burst=3, concurrency=2, clock=lambda: now)
    with limiter.admit("a"), limiter.admit("a"):
        with pytest.raises(LimitReachedError, match="2 requests at once"), limiter.admit("a"):
            pass
        with limiter.admit("b"):
            pass
    with pytest.raises(LimitReachedError, match="1 requests a second") as caught, limiter.admit("a"):
        pass
    assert caught.value.retry_after == 1
    now = 1.0
    with limiter.admit("a"):
        pass


def test_a_place_is_given_back_when_the_handler_fails() -> None:
    limiter = Limiter(rate=100.0, burst=100, concurrency=1, clock=lambda: 0.0)
    for _ in range(3):
        with pytest.raises(RuntimeError), limiter.admit("a"):
            raise RuntimeError
