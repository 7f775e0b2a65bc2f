from hypothesis import given
from hypothesis import strategies as st

from actors.store.shard_queries import advances

STATES = ["queued", "sent-unconfirmed", "failed", "acknowledged", "delivered", "read"]


@given(st.lists(st.sampled_from(STATES), max_size=12))
def test_proof_of_arrival_is_never_taken_back(reports: list[str]) -> None:
    current: str | None = None
    best = -1
    for report in reports:
        if advances(current, report):
            current = report
        proof = ["acknowledged", "delivered", "read"]
        if report in proof:
            best = max(best, proof.index(report))
        if best >= 0:
            assert current == proof[best]


def test_another_attempt_is_recorded() -> None:
    assert advances("sent-unconfirmed", "sent-unconfirmed")
    assert not advances("acknowledged", "acknowledged")


def test_a_failure_can_turn_out_to_have_arrived_but_not_the_reverse() -> None:
    assert advances("failed", "delivered")
    assert not advances("delivered", "failed")
