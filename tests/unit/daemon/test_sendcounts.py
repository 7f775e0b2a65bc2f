"""Counts of sends: each send in each outcome at most once, and what waits is what is neither here nor there."""

from hypothesis import given
from hypothesis import strategies as st

from actors.store.records import OutboxEvent
from actors.store.send_states import ARRIVED, SETTLED, advances
from daemon.metrics.table.sessions import SEND_OUTCOMES
from daemon.sendcounts import OUTCOMES, WAITING, SendCounts

STATES = ("sent-unconfirmed", "failed", *ARRIVED)


def told(previous: str | None, state: str) -> OutboxEvent:
    return OutboxEvent(1, 1.0, "session.send", "a", {"id": "1", "previous": previous, "state": state})


@given(st.lists(st.lists(st.sampled_from(STATES), max_size=8), max_size=5))
def test_they_add_up(lives: list[list[str]]) -> None:
    counts = SendCounts()
    ends = []
    for reports in lives:
        counts.apply(told(None, "queued"))
        state = "queued"
        for report in reports:
            if advances(state, report):
                counts.apply(told(state, report))
                state = report
        ends.append(state)
    found = counts.of("a")
    assert found["accepted"] == len(lives)
    assert found[WAITING] == sum(end not in SETTLED for end in ends)
    for rank, proof in enumerate(ARRIVED):
        assert found[proof] == sum(end in ARRIVED[rank:] for end in ends)
    assert found["failed"] == sum("failed" in seen(reports) for reports in lives)


def seen(reports: list[str]) -> list[str]:
    """The states that a send was in."""
    states = ["queued"]
    for report in reports:
        if advances(states[-1], report):
            states.append(report)
    return states


def test_what_waits_is_known_from_the_start() -> None:
    counts = SendCounts()
    counts.load({"a": 3})
    counts.apply(told("sent-unconfirmed", "read"))
    assert counts.of("a") == {"accepted": 0, "acknowledged": 1, "delivered": 1, "read": 1, "failed": 0, "waiting": 2}
    counts.forget("a")
    assert not any(counts.of("a").values())


def test_the_metric_has_every_outcome() -> None:
    assert SEND_OUTCOMES == OUTCOMES
