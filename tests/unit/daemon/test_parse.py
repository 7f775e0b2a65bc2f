import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import SessionSpec
from daemon.api.parse import parse_body, parse_query, pointer
from daemon.api.problems import ProblemError, Reason
from daemon.api.requests import MessageCreate, SessionCreate, SessionPatch, StatusQuery

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def problem(raw: bytes | dict[str, Any], model: Any = MessageCreate) -> ProblemError:
    body = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    with pytest.raises(ProblemError) as caught:
        parse_body(model, body)
    return caught.value


def test_a_message() -> None:
    body = b'{"id": "order-1", "to": "+15550100189", "text": "hello", "wait": "500ms"}'
    message = parse_body(MessageCreate, body)
    assert (message.id, message.to, message.text, message.wait) == (
        "order-1",
        "15550100189@s.whatsapp.net",
        "hello",
        0.5,
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"to": NaN}',
        b'{"to": 1, "to": 2}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"to": ' + b"9" * 5000 + b"}",
        b'{"to": "15550100189", "text": "x"} trailing',
    ],
    ids=range(13),
)
def test_malformed_bodies(raw: bytes) -> None:
    assert problem(raw).reason is Reason.MALFORMED


def test_every_wrong_value_is_named_with_its_place_and_not_repeated() -> None:
    wrong = problem({"id": "a b", "to": "call me 5550100", "text": "", "wiat": "10s"})
    assert wrong.reason is Reason.INVALID
    assert {error.pointer for error in wrong.errors} == {"#/id", "#/to", "#/text", "#/wiat"}
    assert "known here: id, to, text, wait" in next(e.detail for e in wrong.errors if e.pointer == "#/wiat")
    assert "5550100" not in repr([error.detail for error in wrong.errors])


def test_missing_keys() -> None:
    assert [(error.pointer, error.detail) for error in problem({}).errors] == [
        ("#/to", "this is required"),
        ("#/text", "this is required"),
    ]


@pytest.mark.parametrize("wrong", [1, True, None, ["x"], {"x": 1}])
def test_types_are_strict(wrong: Any) -> None:
    assert problem({"to": "15550100189", "text": wrong}).errors[0].pointer == "#/text"


def test_flags_are_not_words() -> None:
    assert problem({"enabled": "yes"}, SessionPatch).errors[0].pointer == "#/enabled"


def test_the_longest_text() -> None:
    longest = "😀" * 4096
    body = json.dumps({"to": "15550100189", "text": longest}).encode()
    assert parse_body(MessageCreate, body).text == longest
    assert problem({"to": "15550100189", "text": "😀" * 4097}).reason is Reason.INVALID


def test_half_of_a_surrogate_pair_is_no_text() -> None:
    assert problem(b'{"to": "15550100189", "text": "\\ud83d"}').errors[0].pointer == "#/text"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"id": "bulk"}, "#/id"),
        ({"id": "15550100189"}, "#/id"),
        ({"id": "UPPER"}, "#/id"),
        ({"id": "a", "labels": {"a b": "x"}}, "#/labels"),
        ({"id": "a", "labels": {"a": ""}}, "#/labels"),
        ({"id": "a", "labels": {"a": 1}}, "#/labels/a"),
        ({"id": "a", "labels": {f"l{n}": "x" for n in range(33)}}, "#/labels"),
        ({"id": "a", "origin": "file"}, "#/origin"),
    ],
)
def test_sessions_that_are_refused(body: dict[str, Any], place: str) -> None:
    assert problem(body, SessionCreate).errors[0].pointer == place


def test_the_connectors_are_those_of_the_configuration() -> None:
    assert SessionCreate.model_fields["connector"].annotation == SessionSpec.model_fields["connector"].annotation


@given(anything)
def test_any_json_is_parsed_or_a_problem(value: Any) -> None:
    for body in (value, {"to": value, "text": value, "id": value, "wait": value}):
        with contextlib.suppress(ProblemError):
            parse_body(MessageCreate, json.dumps(body).encode())


@given(st.binary())
def test_any_bytes_are_a_problem(raw: bytes) -> None:
    assert problem(raw).reason in {Reason.MALFORMED, Reason.INVALID}


def test_queries() -> None:
    query = parse_query(
        StatusQuery,
        [("ids", "a,b"), ("status", "connected,error"), ("label", "team:a"), ("label", "tier:gold"), ("limit", "7")],
    )
    assert query.ids == ("a", "b")
    assert query.status == ("connected", "error")
    assert query.label == (("team", "a"), ("tier", "gold"))
    assert query.limit == 7


def test_empty_filters_match_nothing_rather_than_everything() -> None:
    assert parse_query(StatusQuery, [("ids", "")]).ids == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "ten"),
        ("limit", "1.5"),
        ("status", "dead"),
        ("quality", "superb"),
        ("ids", "15550100189"),
        ("label", "team"),
        ("lmit", "7"),
        ("cursor", ""),
    ],
)
def test_wrong_parameters_are_named(name: str, value: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_query(StatusQuery, [(name, value)])
    assert {error.parameter for error in caught.value.errors} == {name}


def test_a_parameter_that_stands_twice_is_refused() -> None:
    with pytest.raises(ProblemError):
        parse_query(StatusQuery, [("limit", "7"), ("limit", "8")])


def test_pointers_are_escaped() -> None:
    assert pointer(("labels", "a/b~c", 0)) == "#/labels/a~1b~0c/0"
