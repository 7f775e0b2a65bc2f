"""The signature on what actors send each other: nothing is unpickled before it is checked."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime import transport
from actors.runtime.transport import MAC_BYTES, TransportError, _Signed

KEY = bytes(range(32))
signed = _Signed(KEY)


class Exploit:
    """Makes a file in whoever unpickles it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@given(st.recursive(st.none() | st.integers() | st.text() | st.binary(), st.lists, max_leaves=10))
def test_what_was_signed_with_the_key_comes_back(value: Any) -> None:
    assert signed.loads(signed.dumps(value)) == value


def test_every_other_packet_is_dropped_unread(tmp_path: Path) -> None:
    mark = tmp_path / "pwned"
    body = pickle.dumps(Exploit(mark))
    whole = signed.dumps(Exploit(mark))
    forged = [
        b"",
        body,
        body[:MAC_BYTES],
        b"\0" * MAC_BYTES + body,
        _Signed(b"x" * 32).dumps(Exploit(mark)),
        whole[:-1],
        whole + b"\0",
        *(whole[:n] for n in range(MAC_BYTES + 2)),
        *(bytes([*whole[:n], whole[n] ^ 1, *whole[n + 1 :]]) for n in range(len(whole))),
    ]
    for packet in forged:
        with pytest.raises(TransportError):
            signed.loads(packet)
    assert not mark.exists()
    signed.loads(whole)
    assert mark.exists()  # the exploit itself works


def test_a_short_key_and_an_unknown_thespian_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransportError, match="32 bytes"):
        transport.harden(b"short")
    monkeypatch.setattr(transport, "version", lambda _name: "4.1.0")
    with pytest.raises(TransportError, match=r"found 4\.1\.0"):
        transport.harden(KEY)
