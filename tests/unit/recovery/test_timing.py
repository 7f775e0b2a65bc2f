"""What is waited for takes its time, wherever the clock is set meanwhile."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.recovery import harm, timing
from actors.recovery.book import Book, Case
from actors.recovery.budgets import HOUR_S, Budgets, Deed
from actors.recovery.decide import Limits, Rule
from actors.recovery.episodes import Rung, climbed
from actors.recovery.strategies import Strategy
from actors.store.records import OutboxEvent

BEGAN = 1_700_000_000.0
LOOK_S = 5.0
LIMITS = Limits()
LEAPS = st.floats(60.0, 30 * 86400.0)


def told(book: Book, at: float, type: str, **data: object) -> None:
    book.event("shard-0" if type.startswith("session") else "health", OutboxEvent(1, at, type, "a", data))


def deaf(liveness: str = "deaf") -> Book:
    book = Book(Budgets({Strategy.RECONNECT: 1, Strategy.RESTART: 1, Strategy.FAILOVER: 1}))
    told(book, BEGAN - 900, "session.state", previous="connecting", state="open")
    told(book, BEGAN, "health.liveness", liveness=liveness, since=BEGAN - 300)
    return book


def ordered() -> Book:
    """An order that nobody got."""
    book = deaf()
    book.order("a", book.decide("a", book.survey(BEGAN), BEGAN), BEGAN)
    return book


def refused() -> Book:
    book = ordered()
    book.refused("a", BEGAN)
    return book


def held() -> Book:
    book = deaf()
    book.held["a"] = BEGAN + harm.HELD_S
    return book


def used_up() -> Book:
    book = deaf()
    book.did("a", Deed(BEGAN, Strategy.RECONNECT))
    return book


def slow() -> Book:
    book = deaf()
    episode = climbed(book.cases["a"].episode, Strategy.SLOW_LANE, BEGAN)
    book.cases["a"] = Case(replace(episode, rung_at=BEGAN))
    return book


def closed() -> Book:
    book = Book()
    told(book, BEGAN - 900, "session.state", previous="connecting", state="open")
    for n in range(7):
        told(book, BEGAN, "session.state", previous="open", state="waiting", cause="open_deadline")
        if n < 6:
            told(book, BEGAN, "session.state", previous="waiting", state="connecting")
    return book


WAITS: dict[Callable[[], Book], float] = {
    ordered: LIMITS.unanswered_s,
    refused: LIMITS.refused_s,
    held: harm.HELD_S,
    used_up: HOUR_S,
    slow: LIMITS.slow_s,
    closed: LIMITS.patience_s,
    lambda: deaf("half_open"): LIMITS.grace_s,
}


def waited(book: Book, leap: float, when: float, *, fresh: bool = False) -> float:
    """Seconds that pass from the beginning until something is done; the clock leaps ``when`` so many have passed.

    ``fresh``: the actor ends at that moment; the one that follows sees what is stored only, and the clock as it is.
    """
    passed, ahead, leaps = 0.0, 0.0, timing.Leaps(BEGAN, 0.0)
    while True:
        now = BEGAN + passed + ahead
        if found := leaps.since(now, passed):
            timing.leapt(book, found)
        timing.not_after(book, now)
        if book.decide("a", book.survey(now), now).act:
            return passed
        passed += LOOK_S
        if passed >= when and ahead == 0.0:
            ahead = leap
            leaps = timing.Leaps(BEGAN + passed + ahead, passed) if fresh else leaps


@pytest.mark.parametrize(("book", "wait"), WAITS.items())
@settings(max_examples=25, deadline=None)
@given(leap=LEAPS, back=st.booleans(), share=st.floats(0.0, 1.0))
def test_a_clock_that_is_set_changes_nothing(
    book: Callable[[], Book], wait: float, leap: float, back: bool, share: float
) -> None:
    assert waited(book(), -leap if back else leap, share * wait) == pytest.approx(wait, abs=LOOK_S)


@pytest.mark.parametrize(("book", "wait"), WAITS.items())
@settings(max_examples=25, deadline=None)
@given(leap=LEAPS, share=st.floats(0.0, 1.0))
def test_who_did_not_see_the_clock_set_back_waits_from_then_on(
    book: Callable[[], Book], wait: float, leap: float, share: float
) -> None:
    passed = waited(book(), -leap, share * wait, fresh=True)
    assert passed <= (share + 1) * wait + 2 * LOOK_S


def test_what_is_told_after_the_clock_was_set_back_is_of_now() -> None:
    book = Book()
    told(book, BEGAN + 86400, "session.state", previous="open", state="waiting", cause="open_deadline")
    timing.not_after(book, BEGAN)
    assert book.cases["a"].episode.rung_at == BEGAN


def test_small_differences_are_no_leap_and_add_up_to_none() -> None:
    leaps = timing.Leaps(100.0, 0.0)
    assert [leaps.since(100.0 + 5.4 * n, 5.0 * n) for n in range(1, 9)] == [0.0] * 8
    assert leaps.since(1000.0, 45.0) == pytest.approx(1000.0 - 43.2 - 105.0)


def test_an_order_that_was_given_late_counts_from_then() -> None:
    book = ordered()
    book.did("a", Deed(BEGAN - 60, Strategy.RESTART))
    book.watches = tuple(harm.Watch(session, BEGAN, frozenset("bc")) for session in "ab")
    timing.asked(book, "a", BEGAN + 60)
    now = BEGAN + 60 + LIMITS.unanswered_s - 1
    assert book.decide("a", book.survey(now), now).rule is Rule.UNDER_WAY
    assert {deed.at for deed in book.deeds["a"]} == {BEGAN - 60, BEGAN + 60}
    assert [watch.at for watch in book.watches] == [BEGAN + 60, BEGAN]
    book.refused("a", now)
    assert {deed.at for deed in book.deeds["a"]} == {BEGAN - 60}, "it is known which one it was"


def test_the_rung_from_which_an_operator_took_it_goes_with_the_clock() -> None:
    book = deaf()
    book.force("a", Strategy.RESTART, BEGAN + 10)
    timing.leapt(book, -100.0)
    assert book.cases["a"].episode.forced_from == Rung(Strategy.RECONNECT, BEGAN - 100)
