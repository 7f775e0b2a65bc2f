"""The figures of a cut and of an outage, from forged ones."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.campaign.outage import PROBE_S, Cut, peak

GOOD = Cut(sessions=500, bound=50.0, lasted=60.0, meanwhile=30, at_first=20, peak=50, told=530, shown=2.0, back=11.0)


@given(st.lists(st.integers(0, 5000).map(lambda ms: ms / 1000)))
def test_peak_is_the_most_that_any_window_holds(times: list[float]) -> None:
    assert peak(times) == max((sum(at <= other < at + 1 for other in times) for at in times), default=0)


def test_what_keeps_every_promise_falls_short_of_nothing() -> None:
    assert GOOD.shortfalls() == []
    cut = replace(GOOD, lasted=0.0, meanwhile=0)
    assert cut.shortfalls() == []
    assert (cut.allowed, GOOD.allowed) == (12.0, 12.0 + PROBE_S)
    assert len(replace(cut, back=12.5).shortfalls()) == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"peak": 51},
        {"meanwhile": 60},
        {"back": 22.5},
        {"back": None},
        {"told": 499},
        {"shown": 5.5},
        {"shown": None},
        {"bound": 49.0},
    ],
    ids=str,
)
def test_each_broken_promise_is_told(bad: dict[str, float | None]) -> None:
    assert len(replace(GOOD, **bad).shortfalls()) == 1  # type: ignore[arg-type]
    assert GOOD.lines()


def test_a_loss_that_http_never_showed_is_told_where_the_time_of_others_stands() -> None:
    assert GOOD.lines()[-1] == "    shown over HTTP within 2.00 s (allowed 5 s)"
    assert replace(GOOD, shown=None).lines()[-1] == "    shown over HTTP never, for some of them (allowed 5 s)"
