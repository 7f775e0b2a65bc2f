import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.vault.errors import Fenced
from actors.vault.fencing import Fence, check, check_last, claim, reserve

STEPS = st.lists(st.tuples(st.sampled_from(["reserve", "claim", "check"]), st.integers(1, 12)), max_size=40)


@given(STEPS)
def test_numbers_are_handed_out_once_and_owners_only_go_up(steps: list[tuple[str, int]]) -> None:
    fence = Fence()
    handed: list[int] = []
    for action, generation in steps:
        before = fence
        try:
            if action == "reserve":
                fence = reserve(fence)
                handed.append(fence.reserved)
            elif action == "claim":
                fence = claim(fence, generation)
                assert fence.current == generation
                assert generation in handed
            else:
                check(fence, generation)
                assert generation == fence.current
        except Fenced:
            assert fence == before
            assert generation != before.current or generation not in handed
        assert before.current <= fence.current <= fence.reserved
    assert handed == list(range(1, len(handed) + 1))


def test_a_reservation_takes_nothing_over() -> None:
    fence = reserve(claim(reserve(Fence()), 1))
    check(fence, 1)
    with pytest.raises(Fenced, match="has not claimed"):
        check(fence, 2)


def test_the_last_owner_is_one_after_whom_nobody_reserved() -> None:
    check_last(Fence(2, 2), 2)
    for fence, generation in [(Fence(3, 2), 2), (Fence(3, 3), 2), (Fence(2, 1), 2)]:
        with pytest.raises(Fenced):
            check_last(fence, generation)


def test_a_claim_fences_all_lower_ones() -> None:
    fence = claim(reserve(reserve(Fence())), 2)
    with pytest.raises(Fenced, match="2 took over"):
        claim(fence, 1)
    with pytest.raises(Fenced, match="2 took over"):
        check(fence, 1)


def test_what_was_never_reserved_cant_be_claimed() -> None:
    with pytest.raises(Fenced, match="never reserved"):
        claim(Fence(1, 1), 2)


def test_nobody_owns_a_session_before_the_first_claim() -> None:
    with pytest.raises(Fenced):
        check(Fence(), 0)
