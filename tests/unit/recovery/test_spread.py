import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.recovery.spread import LEAST_S, Spread, joined, spread_of

TIMES = st.floats(0, 1e7)
LISTS = st.lists(TIMES, max_size=60)


@given(st.lists(st.floats(LEAST_S, 1e7), min_size=1, max_size=60), st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_a_quantile_is_off_by_less_than_a_twentieth(times: list[float], share: float) -> None:
    exact = sorted(times)[max(1, math.ceil(share * len(times))) - 1]
    assert spread_of(times).quantile(share) == pytest.approx(exact, rel=0.045)


@given(LISTS, LISTS)
def test_it_does_not_matter_how_they_are_put_together(first: list[float], second: list[float]) -> None:
    whole = spread_of(first + second)
    parts = joined([spread_of(first), Spread(), spread_of(second)])
    without = whole.minus(spread_of(first))
    for found, wanted in ((parts, whole), (without, spread_of(second))):
        assert (found.count, dict(found.buckets)) == (wanted.count, dict(wanted.buckets))
        assert found.total == pytest.approx(wanted.total, abs=1e-6)
    assert Spread.from_json(json.loads(json.dumps(whole.to_json()))) == whole


def test_of_nothing_nothing_is_known_and_of_one_all() -> None:
    assert (Spread().mean, Spread().quantile(0.5), spread_of([]).count) == (None, None, 0)
    assert spread_of([0.0, 0.0, 0.0009]).quantile(0.95) == 0.0
    assert (spread_of([-5.0]).mean, spread_of([12.0]).quantile(0.95)) == (0.0, 12.0)
