from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.bucket import Bucket


@given(st.floats(0, 100), st.integers(1, 50), st.lists(st.floats(0, 5), max_size=200))
def test_bucket_never_gives_more_than_its_bound(rate: float, burst: int, pauses: list[float]) -> None:
    bucket, now, given_at = Bucket(rate, burst, float(burst), 0.0), 0.0, []
    for pause in pauses:
        now += pause
        bucket = bucket.refilled(now)
        if (taken := bucket.taken()) is not None:
            bucket = taken
            given_at.append(now)
    for first, start in enumerate(given_at):
        for last in range(first, len(given_at)):
            assert last - first + 1 <= burst + rate * (given_at[last] - start) + 1e-6


@given(st.floats(0.01, 100), st.integers(1, 50))
def test_bucket_gives_after_its_wait(rate: float, burst: int) -> None:
    bucket = Bucket(rate, burst, 0.0, 0.0)
    wait = bucket.wait()
    assert wait is not None
    assert bucket.refilled(wait).taken() is not None
    assert bucket.refilled(wait * 0.99).taken() is None


def test_empty_bucket_without_rate_never_gives() -> None:
    bucket = Bucket(0, 1, 0.0, 0.0)
    assert bucket.wait() is None
    assert bucket.refilled(1e9).taken() is None


@given(st.floats(0, 10), st.integers(1, 10), st.integers(1, 10))
def test_new_bounds_keep_what_fits(tokens: float, burst: int, fewer: int) -> None:
    bucket = Bucket(1.0, burst, min(tokens, burst), 0.0).bounded(2.0, fewer)
    assert bucket.tokens == min(tokens, burst, fewer)
