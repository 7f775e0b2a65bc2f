"""When a connector process is replaced, and when it is killed."""

from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.host.bloat import PAUSE, RUNS, Bounds, Verdict, judge

MIB = 2**20
sizes = st.lists(st.integers(0, 2000 * MIB), max_size=2 * RUNS)
bounds = st.builds(
    lambda low, more: Bounds(low, low + more), st.integers(64 * MIB, 900 * MIB), st.integers(1, 900 * MIB)
)


@given(recent=sizes, bounds=bounds, since=st.none() | st.floats(0, 1e6), now=st.floats(0, 1e6))
def test_only_memory_that_stays_counts(recent: list[int], bounds: Bounds, since: float | None, now: float) -> None:
    assert bounds.recycle is not None
    verdict = judge(recent, bounds, since, now)
    low = len(recent) < RUNS or any(size <= bounds.recycle for size in recent[-RUNS:])
    assert (verdict is Verdict.KEEP) or not low
    if verdict is Verdict.END:
        assert bounds.limit is not None
        assert min(recent[-RUNS:]) > bounds.limit
    if verdict is Verdict.RECYCLE:
        assert since is None or now - since >= PAUSE


@given(recent=sizes, more=st.integers(0, 500 * MIB), bounds=bounds, now=st.floats(PAUSE, 1e6))
def test_more_memory_never_has_a_milder_verdict(recent: list[int], more: int, bounds: Bounds, now: float) -> None:
    order = list(Verdict)
    grown = [size + more for size in recent]
    assert order.index(judge(grown, bounds, 0.0, now)) >= order.index(judge(recent, bounds, 0.0, now))


def test_without_bounds_nothing_is_done() -> None:
    assert judge([10**12] * RUNS, Bounds(), None, 0.0) is Verdict.KEEP


def test_a_bound_that_is_too_low_does_not_keep_sessions_moving() -> None:
    low = Bounds(64 * MIB, 1024 * MIB)
    always = [100 * MIB] * RUNS
    assert judge(always, low, None, 0.0) is Verdict.RECYCLE
    assert judge(always, low, 0.0, PAUSE - 1) is Verdict.KEEP
    assert judge(always, low, 0.0, PAUSE) is Verdict.RECYCLE
