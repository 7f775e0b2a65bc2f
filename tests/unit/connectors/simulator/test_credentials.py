import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.simulator.credentials import CREDS, BadCredentials, Credentials, ratchet


@given(st.integers(0, 9), st.text(max_size=8), st.from_regex(r"\d{5,15}", fullmatch=True), st.integers(1, 99))
def test_survive_the_vault(seed: int, session: str, phone: str, device: int) -> None:
    made = Credentials.made(seed, session, phone, device)
    read = Credentials.read(made.to_first_entries())
    assert read == made
    assert read.accepted(seed, session)
    assert not read.accepted(seed + 1, session)
    assert Credentials.read(made.used().to_entries()) == made.used()


def test_none_without_any() -> None:
    assert Credentials.read({}) is None


@pytest.mark.parametrize(
    "stored",
    [b"", b"\xc1", b"[]", msgpack.packb([]), msgpack.packb({"phone": "1"}), msgpack.packb({"token": "text"})],
)
def test_damage_is_noticed(stored: bytes) -> None:
    with pytest.raises(BadCredentials):
        Credentials.read({CREDS: stored})


def test_keys_change_with_each_message() -> None:
    assert ratchet("1", 1).keys() == ratchet("1", 2).keys()
    assert ratchet("1", 1) != ratchet("1", 2)
    assert len(*ratchet("1", 1).values()) > 1500
