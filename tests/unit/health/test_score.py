"""The score: monotone in every signal, capped where it must be, and as its page says."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.rating import Rating
from actors.health.counts import Bucket, Counts
from actors.health.score import (
    CAPS,
    FLAPPING_CAP,
    ONE_WAY_CAP,
    RESTRICTED_CAP,
    UNPROVEN_CAP,
    Score,
    score,
)
from actors.health.signals import DAY, Signals
from actors.health.trips import Trip
from actors.health.weights import DEFAULT_WEIGHTS, Weights
from actors.session.causes import Cause
from actors.session.inputs.connector import PlatformQuality
from actors.session.vocabulary import State

NOW = 1_700_000_000.0
PAGE = Path(__file__).parents[3] / "docs" / "health-score.md"


def signals(**given: Any) -> Signals:
    """Signals from plain values: counts happened a minute ago, ages are in seconds."""
    facts: dict[str, Any] = {
        "state": "open",
        "last_in_age": 5.0,
        "last_out_age": 5.0,
        "rtt_ms": 40.0,
        "rtt_age": 5.0,
        "rtt_before_ms": None,
        "sample_age": 5.0,
        "last_ack_age": None,
        "waits": None,
        "heartbeats": 30,
        "missed": 0,
        "acks": 0,
        "ack_p95_ms": None,
        "nacks": 0,
        "restricted": 0,
        "received": 0,
        "undecryptable": 0,
        "failures": 0,
        "failures_day": 0,
        "timelocked": False,
        "rating": None,
        "rating_age": 3600.0,
        **given,
    }
    counts = Counts(
        heartbeats=facts["heartbeats"],
        missed=facts["missed"],
        acks=facts["acks"],
        received=facts["received"],
        undecryptable=facts["undecryptable"],
        nacks={code: facts[name] for code, name in ((463, "restricted"), (479, "nacks")) if facts[name]},
        disconnects={Cause.CONNECTION_CLOSED: facts["failures"]} if facts["failures"] else {},
    )
    day = Counts(disconnects={Cause.CONNECTION_CLOSED: facts["failures_day"]} if facts["failures_day"] else {})
    at = NOW - 60.0
    sampled = NOW - facts["sample_age"]
    return Signals(
        state=State(facts["state"]),
        since=NOW - 5000.0,
        timelocked=facts["timelocked"],
        platform=facts["rating"] and PlatformQuality(Rating(facts["rating"]), NOW - facts["rating_age"]),
        sampled_at=sampled,
        unanswered_since=None if facts["waits"] is None else sampled - facts["waits"],
        last_ack=None if facts["last_ack_age"] is None else NOW - facts["last_ack_age"],
        minutes=(Bucket(int(at // 60), counts),),
        hours=(Bucket(int(at // 3600), counts + day),),
        trips=trips(facts["rtt_ms"], facts["rtt_age"], facts["rtt_before_ms"]),
        ack_p95_ms=facts["ack_p95_ms"],
        last_in=NOW - facts["last_in_age"],
        last_out=NOW - facts["last_out_age"],
    )


def trips(rtt: float | None, age: float, before: float | None) -> tuple[Trip, ...]:
    """One round trip; with a time from before, a minute of such and four minutes of those, as 1 to 4."""
    if rtt is None:
        return ()
    last = NOW - age
    if before is None:
        return (Trip(last, 1, rtt, rtt),)
    return (
        *(Trip(last - ago, 1, before, before) for ago in range(270, 59, -20)),
        *(Trip(last - ago, 1, rtt, rtt) for ago in range(50, -1, -20)),
    )


def scored(**given: Any) -> Score:
    found = score(signals(**given), NOW)
    assert found is not None
    return found


def examples() -> list[Any]:
    """The worked examples of the page: a JSON line of signals, then a line with the points."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^### (.+?)\n.*?```json\n(.+?)\n```\n\n(.+?)\n(?=\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return [pytest.param(json.loads(given), told, id=name) for name, given, told in found]


@pytest.mark.parametrize(("given", "told"), examples())
def test_the_examples_of_the_page_are_right(given: dict[str, Any], told: str) -> None:
    found = scored(**given)
    points = " + ".join(f"{c.points:g}" for c in found.components.values())
    capped = f"; capped at {found.total}" if found.capped else ""
    total = sum(c.points for c in found.components.values())
    assert told == f"{points} = {total:g}{capped} → **{found.total}**, confidence {found.confidence:g}"


def test_the_page_has_examples_and_names_every_number() -> None:
    assert len(examples()) >= 6
    text = PAGE.read_text(encoding="utf-8")
    for state, cap in CAPS.items():
        assert f"| {state.value} | {cap} |" in text
    for name, most in vars_of(DEFAULT_WEIGHTS).items():
        assert f"| {name} | {most:g} |" in text


def vars_of(weights: Weights) -> dict[str, float]:
    return {name: getattr(weights, name) for name in Weights.__slots__}


def test_the_weights_make_100() -> None:
    assert sum(vars_of(DEFAULT_WEIGHTS.shared(rated=True)).values()) == 100
    unrated = vars_of(DEFAULT_WEIGHTS.shared(rated=False))
    assert (sum(unrated.values()), unrated["platform"]) == (100, 0)


BASE: dict[str, st.SearchStrategy[Any]] = {
    "state": st.sampled_from(["open", "open", "open", "waiting", "pairing", "halted"]),
    "last_in_age": st.floats(0, 200),
    "last_out_age": st.floats(0, 200),
    "rtt_ms": st.floats(0, 5000),
    "rtt_age": st.floats(0, 299),
    "rtt_before_ms": st.none() | st.floats(0, 5000),
    "sample_age": st.floats(0, 200),
    "last_ack_age": st.none() | st.floats(0, 4000),
    "waits": st.none() | st.floats(0, 40),
    "missed": st.integers(0, 8),
    "acks": st.integers(0, 50),
    "ack_p95_ms": st.none() | st.floats(0, 20_000),
    "nacks": st.integers(0, 50),
    "restricted": st.integers(0, 50),
    "received": st.integers(0, 50),
    "undecryptable": st.integers(0, 50),
    "failures": st.integers(0, 12),
    "failures_day": st.integers(0, 60),
    "timelocked": st.booleans(),
    "rating": st.none() | st.sampled_from(list(Rating)),
    "rating_age": st.floats(0, 10 * DAY),
}
facts = st.fixed_dictionaries(BASE)
WORSE_WHEN_MORE = [
    "last_in_age",
    "last_out_age",
    "rtt_ms",
    "rtt_age",
    "missed",
    "ack_p95_ms",
    "waits",
    "nacks",
    "restricted",
    "undecryptable",
    "failures",
    "failures_day",
    "timelocked",
    "rating_age",
]


@given(facts, st.sampled_from(WORSE_WHEN_MORE), st.data())
def test_a_worse_signal_never_gives_more_points(given: dict[str, Any], name: str, data: st.DataObject) -> None:
    if name == "rtt_age":
        given = {**given, "rtt_before_ms": None}  # the window would forget those
    worse = data.draw(BASE[name])
    low, high = sorted([given[name], worse], key=lambda value: -1.0 if value is None else value)
    better, bad = scored(**{**given, name: low}), scored(**{**given, name: high})
    assert better.total >= bad.total
    for part, component in better.components.items():
        assert component.points >= bad.components[part].points


RATINGS = [Rating.HIGH, Rating.MEDIUM, Rating.LOW]


@given(facts, st.sampled_from(RATINGS), st.sampled_from(RATINGS))
def test_a_worse_rating_never_gives_more_points(given: dict[str, Any], one: Rating, other: Rating) -> None:
    better, worse = sorted([one, other], key=RATINGS.index)
    good, bad = scored(**{**given, "rating": better}), scored(**{**given, "rating": worse})
    assert good.total >= bad.total
    assert good.components["platform"].points >= bad.components["platform"].points
    assert {**good.components, "platform": None} == {**bad.components, "platform": None}


@given(facts)
def test_a_session_that_is_not_rated_has_the_score_of_before(given: dict[str, Any]) -> None:
    for rating in (None, Rating.UNKNOWN):
        found = scored(**{**given, "rating": rating})
        assert "platform" not in found.components
        off = score(signals(**{**given, "rating": Rating.LOW}), NOW, replace(DEFAULT_WEIGHTS, platform=0.0))
        assert found == off
        assert {name: c.max for name, c in found.components.items()} == {
            name: most for name, most in vars_of(DEFAULT_WEIGHTS).items() if name != "platform"
        }


@given(facts, st.sampled_from(RATINGS), st.integers(0, 50))
def test_with_a_rating_the_other_components_share_the_rest(given: dict[str, Any], rating: Rating, most: int) -> None:
    weights = replace(DEFAULT_WEIGHTS, platform=float(most))
    unrated, found = scored(**{**given, "rating": None}), score(signals(**{**given, "rating": rating}), NOW, weights)
    assert found is not None
    assert sum(c.max for c in found.components.values()) == pytest.approx(100, abs=0.3)
    for name, part in unrated.components.items():
        assert found.components[name].points == pytest.approx(part.points * (1 - most / 100), abs=0.11)
    assert ("platform" in found.components) == (most > 0)


AGES = ["rating_age", "last_in_age", "last_out_age", "rtt_age", "sample_age", "last_ack_age"]


@given(facts, st.sampled_from(AGES), st.floats(0, 4000))
def test_older_evidence_is_never_trusted_more(given: dict[str, Any], name: str, more: float) -> None:
    given = {**given, "state": "open", "last_ack_age": given["last_ack_age"] or 0.0}
    young, old = scored(**given), scored(**{**given, name: given[name] + more})
    assert 0 <= old.confidence <= young.confidence <= 1


def test_a_score_without_fresh_evidence_is_not_trusted() -> None:
    assert scored(last_ack_age=10.0).confidence == 1.0
    assert scored().confidence == 0.9
    old = scored(last_in_age=500.0, last_out_age=500.0, rtt_age=400.0, sample_age=500.0, last_ack_age=4000.0)
    assert old.confidence == 0.0
    assert old.total <= UNPROVEN_CAP
    assert scored(state="blocked", last_in_age=9000.0, rtt_ms=None).confidence == 0.9


@given(facts, st.integers(1, 50), st.sampled_from(["received", "acks"]))
def test_a_good_message_never_costs_points(given: dict[str, Any], more: int, name: str) -> None:
    given = {**given, "nacks": max(given["nacks"], 1)}
    assert scored(**{**given, name: given[name] + more}).total >= scored(**given).total


@given(facts, st.floats(0, 1000))
def test_evidence_is_worth_less_the_older_it_is_unless_windows_forget_what_was_bad(
    given: dict[str, Any], later: float
) -> None:
    s = replace(signals(**{**given, "rtt_before_ms": None}), minutes=(), hours=())
    now, then = score(s, NOW), score(s, NOW + later)
    assert now
    assert then
    assert then.total <= now.total


@given(facts)
def test_a_score_is_within_its_bounds_and_explains_itself(given: dict[str, Any]) -> None:
    found = scored(**given)
    assert 0 <= found.total <= 100
    rated = given["rating"] in RATINGS
    assert list(found.components) == [name for name in Weights.__slots__ if rated or name != "platform"]
    for component in found.components.values():
        assert 0 <= component.points <= component.max
        assert component.why
        assert component.evidence_age_s is None or component.evidence_age_s >= 0
    earned = sum(c.points for c in found.components.values())
    assert found.total == int(earned + 0.5) or (found.capped and found.total < earned)


@pytest.mark.parametrize("state", CAPS)
def test_what_is_not_open_is_capped(state: State) -> None:
    found = scored(state=state.value)
    assert found.total <= CAPS[state]
    assert found.components["connection"].points == 0


def test_a_stopped_session_has_no_score() -> None:
    assert score(signals(state="stopped"), NOW) is None


def test_a_session_of_which_nothing_is_known_has_hardly_a_point() -> None:
    found = score(Signals(state=State.OPEN), NOW)
    assert found is not None
    assert found.total <= UNPROVEN_CAP


def test_a_quiet_session_loses_nothing_for_being_quiet() -> None:
    assert scored(acks=0, received=0).total == 100


def test_a_session_that_flaps_is_no_good_one() -> None:
    assert scored(failures=3).total <= FLAPPING_CAP
    assert scored(failures=2).total > FLAPPING_CAP


def test_a_deaf_session_and_one_that_is_refused_are_no_good_ones() -> None:
    assert scored(undecryptable=20).total <= ONE_WAY_CAP
    assert scored(nacks=20).total <= ONE_WAY_CAP
    assert scored(undecryptable=4, received=50).total > ONE_WAY_CAP


def test_a_restricted_account_is_no_failure_of_its_connection() -> None:
    locked, refused = scored(timelocked=True), scored(restricted=20)
    assert ONE_WAY_CAP < locked.total <= RESTRICTED_CAP
    assert ONE_WAY_CAP < refused.total <= RESTRICTED_CAP
    assert "restricts whom the account may write to" in locked.components["acknowledgements"].why
    assert "20 refused since the account is restricted" in refused.components["acknowledgements"].why
    assert scored(restricted=3, acks=50).total > RESTRICTED_CAP
    assert scored(restricted=3, acks=50).total > scored(nacks=3, acks=50).total


def test_a_message_that_waits_for_its_answer_costs_more_each_second() -> None:
    points = [scored(waits=float(seconds)).components["acknowledgements"].points for seconds in (0, 5, 10, 20, 30)]
    assert points == [20, 20, 16, 8, 0]
    assert "one unanswered for 20 s" in scored(waits=20.0).components["acknowledgements"].why


def test_round_trips_that_grow_cost_before_they_are_slow() -> None:
    steady, rising = scored(rtt_ms=250.0, rtt_before_ms=250.0), scored(rtt_ms=250.0, rtt_before_ms=50.0)
    assert rising.components["latency"].points == round(0.7 * steady.components["latency"].points, 1)
    assert "rising: 5.0 times as long as before" in rising.components["latency"].why
    short = scored(rtt_ms=45.0, rtt_before_ms=5.0)
    assert short.total == 100
    assert scored(rtt_ms=50.0, rtt_before_ms=250.0).components["latency"].points == 15


def test_a_rating_that_nobody_repeats_is_worth_less_each_day() -> None:
    points = [scored(rating="high", rating_age=days * DAY).components["platform"].points for days in (0, 2, 4.5, 7, 30)]
    assert points == [20, 20, 10, 0, 0]
    old = scored(rating="high", rating_age=4.5 * DAY).components["platform"]
    assert (old.evidence_age_s, old.why) == (4.5 * DAY, "the platform rates the number high, as it told 4 days ago")
    assert scored(rating="low").components["platform"].why == "the platform rates the number low"
