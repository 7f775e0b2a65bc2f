import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.fields import LATEST, BadField, Fields
from actors.connectors.link_events import EventName
from actors.connectors.protocol import Admission, ErrorCode, Hello, Phase, ReadyLine, Reason, StartLine, State, Stats
from actors.connectors.rating import Rated, Rating

PAGE = (Path(__file__).parents[3] / "docs" / "connector-protocol.md").read_text(encoding="utf-8")

TIMES = st.integers(0, LATEST)
START = StartLine("simulator", "/run/c.sock", "/run/v.sock", "shard-0", {"seed": 1}, Admission(5.0, 1, 2))


def test_start_line_survives_json() -> None:
    assert StartLine.read(json.loads(json.dumps(START.to_wire()))) == START


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"socket": None}, "socket"),
        ({"options": []}, "options"),
        ({"admission": {"connectsPerSecond": 5, "burst": 0, "pairings": 2}}, "admission.burst"),
        ({"admission": {"connectsPerSecond": float("inf"), "burst": 1, "pairings": 2}}, "admission.connectsPerSecond"),
        ({"admission": None}, "admission.connectsPerSecond"),
        ({"protocol": "1"}, "protocol"),
    ],
)
def test_bad_start_line_names_the_key(change: dict[str, Any], path: str) -> None:
    with pytest.raises(BadField) as caught:
        StartLine.read(START.to_wire() | change)
    assert caught.value.path == path


def test_ready_line_survives_json() -> None:
    ready = ReadyLine("simulator", "1", 4711)
    assert ReadyLine.read(json.loads(json.dumps(ready.to_wire()))) == ready
    with pytest.raises(BadField):
        ReadyLine.read(ready.to_wire() | {"ready": False})


@given(
    st.builds(
        State,
        st.sampled_from(Phase),
        st.booleans(),
        st.none() | st.text(),
        st.none() | TIMES,
        st.none() | st.text(),
        st.none() | TIMES,
    )
)
def test_state_survives_the_wire(state: State) -> None:
    assert State.read(state.to_wire()) == state


@pytest.mark.parametrize("time", [-1, LATEST + 1, 1_795_370_094_000_000, 1.7e18])
@pytest.mark.parametrize("key", ["openedAt", "qrExpiresAt", "quality.at"])
def test_a_state_has_no_time_out_of_these_millennia(key: str, time: float) -> None:
    wire = State(Phase.OPEN, True, "me", quality=Rated(Rating.LOW, 1)).to_wire()
    first, _, second = key.partition(".")
    wire[first] = {**wire[first], second: time} if second else time
    with pytest.raises(BadField) as caught:
        State.read(wire)
    assert caught.value.path == f"state.{key}"


def test_stats_survive_the_wire() -> None:
    stats = Stats(1, 2.5, 3, 4.5, {"logins": 6})
    assert Stats.read(stats.to_wire()) == stats


def test_hello_is_checked() -> None:
    answer = {"protocol": 1, "connector": "c", "version": "1", "pid": 2, "capabilities": ["qr"]}
    assert Hello.read(answer) == Hello("c", "1", 2, ("qr",))
    state = State(Phase.OPEN, True, "me", 1)
    assert Hello.read({**answer, "adopted": True, "state": state.to_wire()}).state == state
    for bad in ({"protocol": 2}, {"pid": None}, {"state": {"phase": "asleep", "paired": True}}):
        with pytest.raises(BadField):
            Hello.read(answer | bad)


@pytest.mark.parametrize("names", [ErrorCode, Reason, Phase, Rating, EventName], ids=lambda names: names.__name__)
def test_every_name_stands_in_the_contract(names: Any) -> None:
    for name in names:
        assert f"`{name}`" in PAGE or f'"{name}"' in PAGE or f"`{name} " in PAGE, name


@given(
    st.dictionaries(
        st.text(min_size=1), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    )
)
def test_reading_any_map_gives_a_value_or_names_a_key(values: dict[str, Any]) -> None:
    fields = Fields(values)
    for name in (*values, "missing"):
        for read in (fields.text, fields.integer, fields.number, fields.boolean, fields.texts, fields.inner):
            try:
                read(name)
            except BadField as error:
                assert error.path == name  # noqa: PT017 (either outcome is right)


def test_a_state_may_have_a_rating_that_has_a_place_here() -> None:
    state = State(quality=Rated(Rating.LOW, 1_700_000_000_000))
    assert State.read(state.to_wire()) == state
    older = {key: value for key, value in state.to_wire().items() if key != "quality"}
    assert State.read(older) == State.read(older | {"quality": None}) == State()
    for bad, path in (({"rating": "splendid", "at": 1}, "rating"), ({"rating": "low"}, "at"), ({"at": 1}, "rating")):
        with pytest.raises(BadField) as caught:
            State.read(older | {"quality": bad})
        assert caught.value.path == f"state.quality.{path}"


def test_unknown_keys_are_refused_where_asked() -> None:
    with pytest.raises(BadField, match=r"x\.b: not known here; expected one of a, c"):
        Fields({"a": 1, "b": 2}, "x").only(["a", "c"])


@pytest.mark.parametrize("value", [None, 5, "x", [], {1: 2}])
def test_only_maps_with_text_keys_have_fields(value: Any) -> None:
    with pytest.raises(BadField):
        Fields(value)
