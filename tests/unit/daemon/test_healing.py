"""How often main starts afresh in place."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.healing import PAUSES, PERIOD, again, read_starts, write_starts

times = st.floats(0, 1e9)


@given(times, st.lists(st.floats(0, 30.0), max_size=60))
def test_never_more_fresh_starts_within_a_period_than_there_are_pauses(start: float, gaps: list[float]) -> None:
    starts: tuple[float, ...] = ()
    now, done = start, []
    for gap in gaps:
        now += gap
        if (decision := again(starts, now)) is None:
            return
        starts = decision.starts
        done.append(now)
        assert decision.pause == PAUSES[len(starts) - 1]
        assert sum(now - at <= PERIOD for at in done) == len(starts) <= len(PAUSES)


@given(times)
def test_pauses_grow_and_a_quiet_period_forgets(now: float) -> None:
    assert list(PAUSES) == sorted(PAUSES)
    full = (now,) * len(PAUSES)
    assert again(full, now) is None
    later = now + 2 * PERIOD + now * 1e-9
    fresh = again(full, later)
    assert fresh is not None
    assert (fresh.pause, fresh.starts) == (PAUSES[0], (later,))


@given(times, st.floats(1.0, 1e6))
def test_starts_of_another_boot_do_not_count(now: float, ahead: float) -> None:
    """The monotonic clock begins anew; an environment may be older than that."""
    fresh = again((now + ahead,) * 9, now)
    assert fresh is not None
    assert fresh.pause == 0


@given(st.lists(times, max_size=9))
def test_starts_survive_the_environment(starts: list[float]) -> None:
    assert read_starts(write_starts(tuple(starts))) == tuple(starts)


@given(st.text())
def test_what_cannot_be_read_counts_as_nothing(text: str) -> None:
    assert isinstance(read_starts(text), tuple)
    assert read_starts("no number") == ()
