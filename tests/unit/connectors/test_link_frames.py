import dataclasses
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.fields import LARGEST, LATEST, BadField
from actors.connectors.link_events import (
    Closed,
    EventName,
    LinkEvent,
    Opened,
    Queued,
    Undecryptable,
)
from actors.connectors.link_frames import (
    HOST_EVENTS,
    SESSION_EVENTS,
    parse_host_event,
    parse_session_event,
    to_frame,
)
from actors.runtime import frames

st.register_type_strategy(float, st.floats(-LARGEST, LARGEST))
st.register_type_strategy(int, st.integers(0, LATEST))  # a number may be a time

KINDS = sorted({*SESSION_EVENTS.values(), *HOST_EVENTS.values()}, key=lambda kind: kind.__name__)


def over_the_wire(event: LinkEvent) -> frames.Frame:
    return frames.decode(frames.encode(to_frame(event))[4:])


@given(st.one_of([st.builds(kind) for kind in KINDS]))
def test_events_survive_the_wire(event: LinkEvent) -> None:
    frame = over_the_wire(event)
    if event.name in SESSION_EVENTS:
        assert parse_session_event(frame) == event
    if event.name in HOST_EVENTS:
        assert parse_host_event(frame) == event


def test_names_are_all_used() -> None:
    assert {kind.name for kind in KINDS} == set(EventName)


def test_unknown_names_belong_to_a_newer_version() -> None:
    assert parse_session_event({"ev": "moon", "session": "a", "at": 1}) is None
    assert parse_session_event({"ev": "phase", "session": "a", "at": 1}) is None
    assert parse_host_event({"ev": "open", "session": "a", "at": 1}) is None


def test_unknown_fields_belong_to_a_newer_version() -> None:
    assert parse_session_event({"ev": "queued", "session": "a", "at": 1, "position": 2, "more": 3}) == Queued(
        session="a", at=1, position=2
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_missing_or_wrong_field_names_its_key(kind: type[LinkEvent]) -> None:
    parse = parse_session_event if kind.name in SESSION_EVENTS else parse_host_event
    samples: dict[Any, Any] = {int: 1, float: 1.5, bool: True, str: "x"}
    hints = get_type_hints(kind)
    values: dict[str, Any] = {item.name: samples.get(hints[item.name]) for item in dataclasses.fields(kind)}
    whole = to_frame(kind(**values))
    whole |= {key: name for key, name in {"phase": "open", "rating": "low"}.items() if key in whole}
    parse(whole)
    for key in whole:
        with pytest.raises(BadField) as caught:
            parse({**whole, key: [1]})
        assert caught.value.path == key
    for key in ("ev", "session", "at"):
        with pytest.raises(BadField):
            parse({name: value for name, value in whole.items() if name != key})


TIMES = [
    ("rtt", "at", {"ms": 1}),
    ("qr", "expiresAt", {"qr": "x"}),
    ("timelock", "until", {"active": True}),
    ("message_cap", "until", {"used": 1, "total": 2, "capped": True}),
    ("quality", "at", {"rating": "low"}),
    ("message", "timestamp", {"messageId": "M", "from": "1@s.whatsapp.net", "text": None}),
]


@pytest.mark.parametrize(("name", "key", "values"), TIMES)
@pytest.mark.parametrize("time", [-1, LATEST + 1, 1_795_370_094_000_000, 2**64 - 1, 1.7e18])
def test_a_time_is_one_of_these_millennia(name: str, key: str, values: dict[str, Any], time: float) -> None:
    parse = parse_session_event if name in SESSION_EVENTS else parse_host_event
    frame = {"ev": name, "session": "a", "at": 1, **values}
    for good in (0, LATEST):
        assert parse({**frame, key: good}) is not None
    with pytest.raises(BadField) as caught:
        parse({**frame, key: time})
    assert caught.value.path == key


NUMBERS = [
    ("ack", "error", {"messageId": "M", "ms": 1}),
    ("ack", "ms", {"messageId": "M", "error": None}),
    ("closed", "code", {"reason": "error"}),
    ("message_cap", "used", {"total": 2, "capped": True, "until": None}),
    ("reached", "clock", {}),
]


@pytest.mark.parametrize(("name", "key", "values"), NUMBERS)
@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**64 - 1, 1e300])
def test_a_number_is_one_that_everybody_can_hold(name: str, key: str, values: dict[str, Any], number: float) -> None:
    parse = parse_session_event if name in SESSION_EVENTS else parse_host_event
    frame = {"ev": name, "session": "a", "at": 1, **values}
    assert parse({**frame, key: 2**53}) is not None
    with pytest.raises(BadField) as caught:
        parse({**frame, key: number})
    assert caught.value.path == key


def test_what_has_a_default_may_be_missing() -> None:
    base = {"session": "a", "at": 1}
    assert parse_session_event({"ev": "closed", **base, "code": 0, "reason": "error"}) == Closed(
        session="a", at=1, code=0, reason="error"
    )
    assert parse_session_event({"ev": "open", **base, "me": None, "version": None, "loginMs": 5}) == Opened(
        session="a", at=1, me=None, login_ms=5
    )
    assert parse_session_event({"ev": "undecryptable", **base, "messageId": "M"}) == Undecryptable(
        session="a", at=1, message_id="M"
    )


def test_phase_must_be_one() -> None:
    with pytest.raises(BadField, match="not a phase"):
        parse_host_event({"ev": "phase", "session": "a", "at": 1, "phase": "asleep"})
