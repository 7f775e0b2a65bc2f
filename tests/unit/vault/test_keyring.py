"""Master keys: what is in charge wraps, what was before opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.vault.envelope import Entry
from actors.vault.errors import MasterKeyError
from actors.vault.keyring import Keyring, MasterKeys, mark, missing, split_mark

keys = st.integers(0, 255).map(lambda number: bytes([number]) * 32)
chains = st.lists(keys, min_size=2, max_size=5, unique=True)
sessions = st.from_regex(r"[a-z0-9]{1,10}", fullmatch=True)
NONCE = bytes(12)


@given(chains, sessions, st.data())
def test_what_any_key_of_the_chain_wrapped_opens_and_is_rewrapped(
    chain: list[bytes], session: str, data: st.DataObject
) -> None:
    maker = data.draw(st.sampled_from(chain))
    ring = Keyring(MasterKeys(chain[0], tuple(chain[1:])))
    wrapped = Keyring(MasterKeys(maker)).new_wrapped(session)
    assert wrapped is not None
    entry = Entry("creds", b"v")
    sealed = Keyring(MasterKeys(maker)).cipher(session, wrapped).seal(entry, 1, NONCE)
    name = ring.cipher(session, wrapped).name("creds")
    assert ring.cipher(session, wrapped).open(name, sealed, 1) == entry
    assert ring.is_current(session, wrapped) == (maker == chain[0])

    again = ring.rewrapped(session, wrapped)
    only_new = Keyring(MasterKeys(chain[0]))
    assert only_new.is_current(session, again)
    assert only_new.cipher(session, again).open(name, sealed, 1) == entry
    assert mark(again) != mark(wrapped)


@given(chains, sessions)
def test_a_key_that_is_not_there_opens_nothing(chain: list[bytes], session: str) -> None:
    stranger, *known = chain
    wrapped = Keyring(MasterKeys(stranger)).new_wrapped(session)
    check = Keyring(MasterKeys(stranger)).new_check()
    assert check is not None
    for ring in (Keyring(MasterKeys(known[0], tuple(known[1:]))), Keyring(MasterKeys())):
        assert not ring.opens(check)
        assert not ring.masters(check)
        assert not ring.is_current(session, wrapped)
        with pytest.raises(MasterKeyError):
            ring.cipher(session, wrapped)


@given(chains, st.data())
def test_missing_counts_the_keys_that_are_not_configured(chain: list[bytes], data: st.DataObject) -> None:
    known = data.draw(st.lists(st.sampled_from(chain), min_size=1, unique=True))
    checks = [check for key in chain if (check := Keyring(MasterKeys(key)).new_check()) is not None]
    ring = Keyring(MasterKeys(known[0], tuple(known[1:])))
    assert missing(ring, checks) == len(chain) - len(known)
    assert sum(ring.masters(check) for check in checks) == 1


@given(sessions, st.binary(max_size=20), st.one_of(st.none(), st.binary(min_size=1, max_size=61)))
def test_a_cursor_has_its_mark(session: str, name: bytes, wrapped: bytes | None) -> None:
    assert split_mark(mark(wrapped) + name) == (mark(wrapped), name)


def test_without_a_key_all_is_plain() -> None:
    ring = Keyring(MasterKeys())
    assert (ring.sealed, ring.new_wrapped("a"), ring.is_current("a", None)) == (False, None, True)
    assert not Keyring(MasterKeys(bytes(32))).is_current("a", None)


@pytest.mark.parametrize("wrong", [MasterKeys(b"short"), MasterKeys(bytes(32), (bytes(33),))])
def test_the_length_of_a_key(wrong: MasterKeys) -> None:
    with pytest.raises(MasterKeyError, match="must have 32 bytes"):
        Keyring(wrong)


def test_keys_are_in_no_repr() -> None:
    assert "07" not in repr(MasterKeys(b"\x07" * 32, (b"\x07" * 32,)))
