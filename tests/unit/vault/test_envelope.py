import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.vault.envelope import Entry, PlainCipher, SealedCipher, unwrap, wrap
from actors.vault.errors import Damaged, MasterKeyError

DATA_KEY = bytes(range(32))
NONCES = st.binary(min_size=12, max_size=12)
GENERATIONS = st.integers(1, 2**53 - 1)
KEYS = st.text(max_size=100)


@given(KEYS, st.binary(max_size=2000), GENERATIONS, NONCES)
def test_what_is_sealed_opens_again(key: str, value: bytes, generation: int, nonce: bytes) -> None:
    cipher = SealedCipher("support-1", DATA_KEY)
    stored = cipher.seal(Entry(key, value), generation, nonce)
    assert cipher.open(cipher.name(key), stored, generation) == Entry(key, value)


@given(KEYS, st.binary(max_size=100), GENERATIONS)
def test_plain_is_plain(key: str, value: bytes, generation: int) -> None:
    cipher = PlainCipher()
    stored = cipher.seal(Entry(key, value), generation, b"")
    assert stored == value
    assert cipher.open(cipher.name(key), stored, generation) == Entry(key, value)


def test_nothing_opens_under_another_session_name_generation_or_key() -> None:
    cipher = SealedCipher("a", DATA_KEY)
    stored = cipher.seal(Entry("creds", b"secret"), 3, bytes(12))
    name = cipher.name("creds")
    others = [
        (SealedCipher("b", DATA_KEY), name, 3),
        (SealedCipher("a", bytes(32)), name, 3),
        (cipher, cipher.name("other"), 3),
        (cipher, name, 4),
    ]
    for other, its_name, generation in others:
        with pytest.raises(Damaged):
            other.open(its_name, stored, generation)


@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    cipher = SealedCipher("a", DATA_KEY)
    stored = bytearray(cipher.seal(Entry("creds", b"secret"), 1, bytes(12)))
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Damaged):
        cipher.open(cipher.name("creds"), bytes(stored), 1)


@given(st.binary(max_size=40))
def test_garbage_is_damaged_and_nothing_else(garbage: bytes) -> None:
    cipher = SealedCipher("a", DATA_KEY)
    with pytest.raises(Damaged):
        cipher.open(cipher.name("creds"), garbage, 1)


def test_names_hide_the_key_but_stay_the_same() -> None:
    cipher = SealedCipher("a", DATA_KEY)
    name = cipher.name("session-4915112345678.0")
    assert b"49151" not in name
    assert name == SealedCipher("b", DATA_KEY).name("session-4915112345678.0")
    assert name != SealedCipher("a", bytes(32)).name("session-4915112345678.0")


def test_a_data_key_unwraps_with_its_master_key_and_session_only() -> None:
    master = b"m" * 32
    wrapped = wrap(master, "a", DATA_KEY, bytes(12))
    assert unwrap(master, "a", wrapped) == DATA_KEY
    assert DATA_KEY not in wrapped
    for key, session, stored in [
        (b"n" * 32, "a", wrapped),
        (master, "b", wrapped),
        (master, "a", b"\x02" + wrapped[1:]),
    ]:
        with pytest.raises(MasterKeyError):
            unwrap(key, session, stored)
