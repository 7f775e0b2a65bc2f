"""The order in which a host's sessions are let in."""

from hypothesis import given
from hypothesis import strategies as st

from actors.admission.importance import importance
from actors.admission.queue import AGEING, Queue


def queue(importance: dict[str, int] | None = None, work: str = "", pairings: int = 100) -> Queue:
    known = importance or {}
    return Queue(lambda session: known.get(session, 0), lambda session: session in work, pairings)


def drained(q: Queue, now: float) -> str:
    """Who is let in, one after the other."""
    order = ""
    while (first := q.first(now)) is not None:
        q.admitted(first, now)
        order += first
    return order


def test_in_order_of_importance_then_of_open_work_then_of_arrival() -> None:
    q = queue({"h": 10, "l": -10}, work="bl")
    for at, session in enumerate("albhc"):
        q.enter(session, float(at) / 10, pairing=False)
    q.enter("a", 5.0, pairing=False)  # said again
    assert drained(q, 5.0) == "hbacl"
    assert len(q) == 0


def test_who_waits_becomes_urgent() -> None:
    q = queue({"h": 2})
    q.enter("a", 0.0, pairing=False)
    q.enter("h", 4 * AGEING + 1, pairing=False)
    assert q.first(4 * AGEING + 1) == "a"


@given(st.lists(st.integers(-10, 10), min_size=1, max_size=30))
def test_nobody_waits_for_ever_behind_those_who_keep_coming(others: list[int]) -> None:
    """Somebody more important arrives each second, and the least important is let in all the same."""
    q = queue({"last": -10, **{f"o{n}": value for n, value in enumerate(others)}})
    q.enter("last", 0.0, pairing=False)
    now, number = 0.0, 0
    while (first := q.first(now)) != "last":
        if first is not None:
            q.admitted(first, now)
        q.enter(f"o{number % len(others)}", now, pairing=False)
        number, now = number + 1, now + 1.0
        assert now <= 42 * AGEING


def test_pairings_are_bounded_and_hold_up_no_login() -> None:
    q = queue({"Q": 5}, pairings=1)
    for session in "PQa":
        q.enter(session, 0.0, pairing=session.isupper())
    assert q.first(0.0) == "Q"
    q.admitted("Q", 0.0)
    assert drained(q, 0.0) == "a"
    q.leave("Q")  # its QR is shown, or it is open, or at its end
    assert drained(q, 0.0) == "P"


def test_a_pairing_that_begins_anew_takes_one_place() -> None:
    q = queue(pairings=1)
    q.enter("P", 0.0, pairing=True)
    q.admitted("P", 0.0)
    q.enter("P", 1.0, pairing=True)
    assert q.first(1.0) == "P"


def test_the_prober_is_who_was_not_tried_for_longest_and_matters_least() -> None:
    q = queue({"h": 10})
    for session in "hab":
        q.enter(session, 0.0, pairing=False)
    order = ""
    for now in range(6):
        session = q.prober(float(now)) or ""
        order += session
        q.admitted(session, float(now))
        q.enter(session, now + 0.5, pairing=False)
    assert order == "abhabh"
    q.forget("a")
    assert q.prober(9.0) == "b"
    q.favour("h")
    assert q.prober(9.0) == "h", "an operator wants it"
    q.admitted("h", 9.0)
    q.enter("h", 10.0, pairing=False)
    assert q.prober(10.0) == "b"


def test_importance_is_the_sum_over_the_labels() -> None:
    weights = {"priority:high": 10, "team:trial": -4, "team:fire": 95}
    assert importance({}, weights) == 0
    assert importance({"priority": "low"}, weights) == 0
    assert importance({"priority": "high", "team": "trial"}, weights) == 6
    assert importance({"priority": "high", "team": "fire"}, weights) == 100
