"""Canaries are known by their message id, and nobody else can make one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.canary_id import KEY_BYTES, NONCE_BYTES, is_canary, make, may_be

KEYS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
NONCES = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)


@given(KEYS, NONCES)
def test_an_id_is_recognised_and_looks_like_the_others(key: bytes, nonce: bytes) -> None:
    id = make(key, nonce)
    assert re.fullmatch(r"3EB0[0-9A-F]{18}", id)
    assert may_be(id)
    assert is_canary(key, id)


@given(KEYS, KEYS, NONCES)
def test_another_key_makes_another_id(key: bytes, other: bytes, nonce: bytes) -> None:
    assert is_canary(other, make(key, nonce)) == (key == other)


@given(KEYS, st.text(max_size=30) | st.from_regex(r"3EB0[0-9A-F]{18}", fullmatch=True))
def test_what_people_send_is_none(key: bytes, id: str) -> None:
    assert not is_canary(key, id)  # one of 2^40 would be: hypothesis does not find it


def test_a_changed_digit_is_seen() -> None:
    key = bytes(range(KEY_BYTES))
    id = make(key, b"abcd")
    for at in range(len(id)):
        changed = id[:at] + ("0" if id[at] != "0" else "1") + id[at + 1 :]
        assert not is_canary(key, changed)
