import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.supervision.fleet import share


@given(st.lists(st.integers(1, 32), min_size=1, max_size=64))
def test_the_shares_make_the_whole_and_nobody_starves(kin: list[int]) -> None:
    shares = [share(sessions, kin) for sessions in kin]
    assert sum(shares) == pytest.approx(1.0)
    assert min(shares) >= 0.5 / len(kin)
    assert [sessions for _, sessions in sorted(zip(shares, kin, strict=True))] == sorted(kin)


def test_an_empty_shard_has_none() -> None:
    assert share(0, [3, 4]) == 0.0
