"""Back-off with full jitter."""

from hypothesis import given
from hypothesis import strategies as st

from actors.recovery.backoff import bound, full_jitter


def test_the_range_doubles_up_to_the_cap() -> None:
    assert [bound(n) for n in range(8)] == [1, 2, 4, 8, 16, 32, 32, 32]


@given(st.integers(-5, 10**9), st.floats(0.01, 60), st.floats(0, 600), st.floats(0, 60))
def test_a_floor_lifts_the_whole_range(n: int, base: float, more: float, floor: float) -> None:
    cap = base + more
    least, most = full_jitter(n, base_s=base, cap_s=cap, floor_s=floor)
    assert (least, most) == (floor, floor + bound(n, base_s=base, cap_s=cap))
    assert most <= floor + cap


@given(st.integers(0, 100), st.floats(0.01, 60), st.floats(0, 600))
def test_the_range_never_shrinks(n: int, base: float, more: float) -> None:
    assert bound(n, base_s=base, cap_s=base + more) <= bound(n + 1, base_s=base, cap_s=base + more)
