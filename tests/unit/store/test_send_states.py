"""The order of a send's states: never back, whatever comes, in whatever order, however often, over any restart."""

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from actors.store.send_states import ARRIVED, FAILED, SETTLED, UNCONFIRMED, UNFINISHED, advances, by_receipt, reached

STATES = ("queued", UNCONFIRMED, FAILED, *ARRIVED)
histories = st.lists(st.sampled_from(STATES), max_size=12)


def life(reports: list[str], state: str | None = None) -> list[str | None]:
    """The states that a send goes through; it remembers nothing but the state, so a restart changes nothing."""
    states = [state]
    for report in reports:
        if advances(states[-1], report):
            states.append(report)
    return states


@given(histories)
def test_proof_of_arrival_is_never_taken_back(reports: list[str]) -> None:
    proofs = [ARRIVED.index(report) for report in reports if report in ARRIVED]
    end = life(reports)[-1]
    assert end == ARRIVED[max(proofs)] if proofs else end not in ARRIVED


@given(histories)
def test_a_state_never_goes_back(reports: list[str]) -> None:
    ranks = [-1 if state is None else STATES.index(state) for state in life(reports)]
    assert ranks == sorted(ranks)
    repeated = {state for before, state in pairwise(life(reports)) if before == state}
    assert repeated <= {UNCONFIRMED}


@given(histories, st.integers())
def test_the_order_of_reports_does_not_matter_once_it_arrived(reports: list[str], seed: int) -> None:
    shuffled = random.Random(seed).sample(reports, len(reports))
    if set(reports) & set(ARRIVED):
        assert life(reports)[-1] == life(shuffled)[-1]


@given(histories)
def test_what_is_settled_is_not_handed_over_again(reports: list[str]) -> None:
    states = life(reports)
    first = next((n for n, state in enumerate(states) if state in SETTLED), len(states))
    assert not UNFINISHED & set(states[first:])


@given(histories)
def test_each_outcome_is_reached_once(reports: list[str]) -> None:
    states = life(reports)
    outcomes = [o for old, new in pairwise(states) for o in reached(old, new or "")]
    assert len(outcomes) == len(set(outcomes))
    proofs = [outcome for outcome in outcomes if outcome in ARRIVED]
    assert proofs == list(ARRIVED[: ARRIVED.index(str(states[-1])) + 1] if states[-1] in ARRIVED else ())


@given(st.text())
def test_only_the_recipients_receipts_prove_anything(type: str) -> None:
    known = {"delivered": "delivered", "read": "read", "played": "read"}
    assert by_receipt(type) == known.get(type)
    assert {by_receipt(name) for name in known} <= set(ARRIVED)


def test_a_failure_can_turn_out_to_have_arrived_but_not_the_reverse() -> None:
    assert advances(FAILED, "delivered")
    assert not advances("delivered", FAILED)
    assert not advances(FAILED, UNCONFIRMED)
