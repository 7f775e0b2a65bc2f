"""What a session leaves behind: every state comes back as it was, and rubbish is named."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.session.causes import Cause
from actors.session.resume import VERSION, BadSavedState, dump, load
from actors.session.state import Saved, Trouble, Verdict
from actors.session.vocabulary import State

times = st.floats(0, 4e9)
scalars = st.text(max_size=5) | st.integers(-(10**9), 10**9) | st.booleans() | st.none()
troubles = st.builds(
    Trouble,
    cause=st.sampled_from(Cause),
    code=st.integers(0, 999),
    reason=st.text(max_size=9),
    message=st.text(max_size=9),
    data=st.dictionaries(st.text(max_size=5), scalars, max_size=3),
)
verdicts = st.builds(
    Verdict, state=st.sampled_from([State.BLOCKED, State.HALTED]), trouble=troubles, until=st.none() | times
)
saved_states = st.builds(
    Saved,
    state=st.sampled_from(State),
    since=times,
    trouble=st.none() | troubles,
    verdict=verdicts,
    attempt=st.integers(0, 10**6),
    refusals=st.integers(0, 9),
    restarts=st.lists(times, max_size=4).map(tuple),
    stale_auth=st.booleans(),
    me=st.none() | st.text(),
    down_since=st.none() | times,
    replaced=st.integers(0, 10**6),
)


@given(saved_states)
def test_a_saved_state_comes_back_as_it_was(saved: Saved) -> None:
    assert load(json.loads(json.dumps(dump(saved)))) == saved


@given(saved_states, st.dictionaries(st.text(min_size=12), scalars, max_size=3))
def test_what_a_newer_version_added_is_passed_over(saved: Saved, unknown: dict[str, Any]) -> None:
    raw = dump(saved)
    raw["trouble"] = raw["trouble"] and {**unknown, **raw["trouble"]}
    assert load({**unknown, **raw}) == saved


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(saved_states, st.data())
def test_rubbish_is_refused_or_harmless_but_never_breaks_anything_else(saved: Saved, data: st.DataObject) -> None:
    raw = dump(saved)
    raw[data.draw(st.sampled_from(sorted(raw)))] = data.draw(JSON)
    with suppress(BadSavedState):
        assert isinstance(load(raw), Saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version: expected 1, got 2"),
        ({"state": "asleep"}, "state: no such state: 'asleep'"),
        ({"since": "yesterday"}, "since: expected a finite number"),
        ({"since": 10**400}, "since: expected a finite number"),
        ({"since": float("nan")}, "since: expected a finite number"),
        ({"trouble": {"cause": "gremlins"}}, "trouble.cause: no such cause: 'gremlins'"),
        ({"trouble": {"cause": "unknown", "code": "x"}}, "trouble.code: expected a whole number"),
        ({"verdict": {"state": "open", "trouble": {"cause": "locked"}}}, "expected blocked or halted, got open"),
        ({"staleAuth": True}, "staleAuth: an auth state that was thrown out needs a verdict"),
        ({"staleAuth": "yes"}, "staleAuth: expected true or false"),
        ({"state": "blocked"}, "verdict: state blocked needs one"),
        ({"attempt": -1}, "attempt: expected a count"),
        ({"restarts": 3}, "restarts: expected a list"),
        ({"me": 7}, "me: expected text"),
    ],
)
def test_rubbish_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSavedState, match=message.replace(".", r"\.")):
        load({**dump(Saved()), **change})


@pytest.mark.parametrize("raw", [None, [], "text", {1: 2}, {}])
def test_what_is_no_saved_state_at_all_is_refused(raw: Any) -> None:
    with pytest.raises(BadSavedState):
        load(raw)


def test_what_json_cannot_hold_is_written_as_text() -> None:
    trouble = Trouble(Cause.UNKNOWN, data={"raw": b"x"})
    assert dump(Saved(trouble=trouble))["trouble"]["data"] == {"raw": "b'x'"}
    assert dump(Saved())["version"] == VERSION
