from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.vault.errors import BadRequest, LimitExceeded, UnknownCommand
from actors.vault.requests import MAX_KEY, MAX_VALUE, Claim, Commit, Load, Reserve, Reset, parse


def test_each_command() -> None:
    assert parse({"cmd": "reserve", "session": "a"}) == Reserve("a")
    assert parse({"cmd": "claim", "session": "a", "generation": 2}) == Claim("a", 2)
    assert parse({"cmd": "load", "session": "a", "generation": 2, "after": None}) == Load("a", 2)
    assert parse({"cmd": "load", "session": "a", "generation": 2, "after": b"x"}) == Load("a", 2, b"x")
    assert parse({"cmd": "reset", "session": "a", "generation": 2}) == Reset("a", 2)
    commit = {"cmd": "commit", "session": "a", "generation": 2, "set": {"k": b"v"}, "del": ["d"], "paired": True}
    assert parse(commit) == Commit("a", 2, {"k": b"v"}, frozenset({"d"}), True)
    assert parse({"cmd": "commit", "session": "a", "generation": 2}) == Commit("a", 2)
    assert parse({"cmd": "commit", "session": "a", "generation": 2, "replaced": True}) == Commit("a", 2, replaced=True)


@pytest.mark.parametrize(
    "change",
    [
        {"session": "A"},
        {"session": "../a"},
        {"session": "a" * 64},
        {"session": None},
        {"generation": 0},
        {"generation": True},
        {"generation": 1.0},
        {"generation": 2**53},
        {"set": [1]},
        {"set": {"k": "text"}},
        {"set": {b"k": b"v"}},
        {"del": "k"},
        {"del": [b"k"]},
        {"set": {"k": b"v"}, "del": ["k"]},
        {"paired": 1},
        {"replaced": None},
    ],
)
def test_what_does_not_follow_the_protocol(change: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        parse({"cmd": "commit", "session": "a", "generation": 1, **change})


@pytest.mark.parametrize("command", [None, 5, "hello!", ["commit"]])
def test_unknown_commands(command: object) -> None:
    with pytest.raises(UnknownCommand):
        parse({"cmd": command, "session": "a"})


def test_limits_are_in_bytes() -> None:
    base = {"cmd": "commit", "session": "a", "generation": 1}
    parse({**base, "set": {"k" * MAX_KEY: bytes(MAX_VALUE)}, "del": ["ä" * (MAX_KEY // 2)]})
    for change in ({"set": {"k": bytes(MAX_VALUE + 1)}}, {"set": {"ä" * MAX_KEY: b""}}, {"del": ["k" * (MAX_KEY + 1)]}):
        with pytest.raises(LimitExceeded):
            parse({**base, **change})


def test_neither_errors_nor_requests_quote_what_is_to_be_stored() -> None:
    key, value = "session-4915112345678", b"top-secret"
    request = {"cmd": "commit", "session": "a", "generation": 1, "set": {key: value}, "del": [key]}
    with pytest.raises(BadRequest) as caught:
        parse(request)
    shown = repr(parse({**request, "del": []})) + str(caught.value)
    assert "49151" not in shown
    assert "secret" not in shown


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.binary(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
COMMANDS = st.sampled_from(["reserve", "claim", "load", "commit", "reset", "stats", ""])


@given(st.dictionaries(st.sampled_from(["session", "generation", "after", "set", "del", "paired"]), PLAIN), COMMANDS)
def test_whatever_comes_is_a_request_or_a_refusal(fields: dict[str, Any], command: str) -> None:
    with suppress(BadRequest, LimitExceeded, UnknownCommand):
        parse({**fields, "cmd": command})
