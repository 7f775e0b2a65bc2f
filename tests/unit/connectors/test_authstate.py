"""Whole or not, and which of two is older."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.baileys.authstate import BadAuthState, check, read_device, unpacked, why_older
from actors.connectors.baileys.packing import MAX_UNPACKED, PACK_FROM, pack
from tests.unit.connectors.baileys_states import State, app_state, entries, lives, paired


@given(lives, st.data())
def test_every_earlier_state_is_older_and_no_later_one_is(states: list[State], data: st.DataObject) -> None:
    earlier = data.draw(st.integers(0, len(states) - 1))
    later = data.draw(st.integers(earlier, len(states) - 1))
    old, new = entries(states[earlier]), entries(states[later])
    assert why_older(new, old) is None
    assert read_device(old) == read_device(new)
    assert (why_older(old, new) is None) == (old == new)


@given(lives)
def test_the_same_state_is_not_older(states: list[State]) -> None:
    assert why_older(entries(states[-1]), entries(states[-1])) is None


@given(lives, st.dictionaries(st.text(), st.binary(max_size=20), max_size=4))
def test_what_can_not_be_read_says_nothing_and_raises_nothing(states: list[State], odd: dict[str, bytes]) -> None:
    whole = entries(states[-1])
    assert why_older({**whole, **odd}, {**whole, **odd}) is None
    why_older({**whole, **odd}, whole)
    why_older(whole, {**whole, **odd})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, st.sampled_from(["session/1555.0", "sender-key/g@g.us::1::0", "app-state-sync-version/critical"]))
def test_any_value_can_be_compared(value: Any, key: str) -> None:
    odd = {**entries(paired()), key: json.dumps(value).encode()}
    assert why_older(odd, odd) is None


@given(json_values)
def test_any_credentials_are_whole_or_refused(value: Any) -> None:
    with pytest.raises(BadAuthState):
        check({"creds": json.dumps(value).encode()})


@given(st.sampled_from(sorted(paired()["creds"])), json_values)
def test_one_wrong_value_is_refused_or_does_not_matter(name: str, value: Any) -> None:
    state = paired()
    state["creds"][name] = value
    try:
        check(entries(state))
    except BadAuthState as error:
        key = error.key
    else:
        key = "creds"
    assert key == "creds"


def test_a_paired_device_is_whole() -> None:
    assert check(entries(paired(1))) == check(entries(paired(1))) != check(entries(paired(9)))


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("creds", b"", "creds.json is empty (0 bytes)"),
        ("creds", b"{", "creds.json is broken: it is no JSON text"),
        ("creds", b"[]", "creds.json is broken: it holds no credentials"),
        ("creds", b"\xff", "creds.json is broken: it is no JSON text"),
        ("session/15550100189.0", b"", "session-15550100189.0.json is empty (0 bytes)"),
        ("pre-key/1", b'{"private":', "pre-key-1.json is broken"),
        ("pre-key/2", b" " * (MAX_UNPACKED + 1), "pre-key-2.json is larger"),
        ("other/1", b"{}", "other-1.json is of no known type"),
    ],
)
def test_the_file_is_named(key: str, text: bytes, said: str) -> None:
    with pytest.raises(BadAuthState) as refused:
        check({**entries(paired()), key: text})
    assert str(refused.value).startswith(said)
    assert refused.value.key == key
    assert refused.value.remedy


def test_a_large_collection_of_the_app_state_is_whole() -> None:
    check(entries(paired() | {"app-state-sync-version/regular": app_state(25_000)}))
    with pytest.raises(BadAuthState, match=r"app-state-sync-version-regular\.json is larger") as refused:
        check(entries(paired() | {"app-state-sync-version/regular": app_state(60_000)}))
    assert refused.value.remedy.startswith("delete the file")


def test_what_can_not_be_unfolded_is_named() -> None:
    assert unpacked({"a/1": b"{}", "a/2": pack(b" " * PACK_FROM)}) == {"a/1": b"{}", "a/2": b" " * PACK_FROM}
    for stored in (b"\x1f\x8b", pack(b" " * PACK_FROM)[:-9], pack(b" " * (MAX_UNPACKED + 1))):
        with pytest.raises(BadAuthState, match=r"session-1\.json is broken"):
            unpacked({"session/1": stored})


@pytest.mark.parametrize("missing", ["account", "me"])
def test_a_device_that_was_never_paired(missing: str) -> None:
    state = paired()
    del state["creds"][missing]
    with pytest.raises(BadAuthState, match="never paired"):
        check(entries(state))


def test_no_credentials_at_all() -> None:
    with pytest.raises(BadAuthState, match=r"creds\.json is missing"):
        check({"pre-key/1": b"{}"})
