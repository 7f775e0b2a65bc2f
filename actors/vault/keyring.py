"""Which key opens what: master keys, and the data keys of the sessions.

One master key wraps what is new; those before it open what is not rewrapped yet (`actors.vault.rotation`).
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from actors.vault.envelope import KEY_BYTES, NONCE_BYTES, Cipher, PlainCipher, SealedCipher, unwrap, wrap
from actors.vault.errors import MasterKeyError

_CHECK: Final = "master_key_check"
"""A wrapped data key of no session: it tests the master key."""
_MARK_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """The configured master keys, KEY_BYTES each."""

    master: bytes | None = field(default=None, repr=False)
    """Wraps every new data key; None for a plain vault."""
    previous: tuple[bytes, ...] = field(default=(), repr=False)
    """Only open."""

    @property
    def all(self) -> tuple[bytes, ...]:
        """Those that open, the likelier first."""
        return () if self.master is None else (self.master, *self.previous)


class Keyring:
    """The ciphers of the sessions.  Raises MasterKeyError when a key has another length."""

    def __init__(self, keys: MasterKeys) -> None:
        for key in keys.all:
            if len(key) != KEY_BYTES:
                raise MasterKeyError(f"a master key must have {KEY_BYTES} bytes, not {len(key)}")
        self._keys = keys
        self._ciphers: dict[str, tuple[bytes, Cipher]] = {}

    @property
    def sealed(self) -> bool:
        """Whether a master key is configured."""
        return self._keys.master is not None

    def new_wrapped(self, session: str) -> bytes | None:
        """A fresh data key for a session, wrapped by the master key; None without one."""
        return self._wrap(session, secrets.token_bytes(KEY_BYTES))

    def rewrapped(self, session: str, wrapped: bytes) -> bytes | None:
        """The same data key, wrapped by the master key.  Raises MasterKeyError when no key opens it."""
        return self._wrap(session, self._unwrap(session, wrapped))

    def new_check(self) -> bytes | None:
        """What tells later whether a vault is sealed with this master key."""
        return self.new_wrapped(_CHECK)

    def opens(self, check: bytes) -> bool:
        """Whether one of the keys wrapped a check value."""
        return any(_opens(key, _CHECK, check) for key in self._keys.all)

    def masters(self, check: bytes) -> bool:
        """Whether the master key itself wrapped a check value."""
        return self._keys.master is not None and _opens(self._keys.master, _CHECK, check)

    def is_current(self, session: str, wrapped: bytes | None) -> bool:
        """Whether a session's data key is wrapped by the master key, or plain without one."""
        if wrapped is None or self._keys.master is None:
            return wrapped is None and self._keys.master is None
        return _opens(self._keys.master, session, wrapped)

    def cipher(self, session: str, wrapped: bytes | None) -> Cipher:
        """The cipher of a session.  Raises MasterKeyError when its data key can't be unwrapped."""
        if wrapped is None:
            return PlainCipher()
        known = self._ciphers.get(session)
        if known is not None and known[0] == wrapped:
            return known[1]
        cipher = SealedCipher(session, self._unwrap(session, wrapped))
        self._ciphers[session] = (wrapped, cipher)
        return cipher

    def _wrap(self, session: str, data_key: bytes) -> bytes | None:
        if self._keys.master is None:
            return None
        return wrap(self._keys.master, session, data_key, secrets.token_bytes(NONCE_BYTES))

    def _unwrap(self, session: str, wrapped: bytes) -> bytes:
        if not self._keys.all:
            raise MasterKeyError("the session is sealed, but no master key is configured")
        for key in self._keys.all[:-1]:
            if _opens(key, session, wrapped):
                return unwrap(key, session, wrapped)
        return unwrap(self._keys.all[-1], session, wrapped)


def mark(wrapped: bytes | None) -> bytes:
    """Stands for a data key without telling anything of it: changes whenever it is another one, or wrapped anew."""
    return hashlib.sha256(wrapped or b"plain").digest()[:_MARK_BYTES]


def split_mark(cursor: bytes) -> tuple[bytes, bytes]:
    """Mark and rest of what begins with one."""
    return cursor[:_MARK_BYTES], cursor[_MARK_BYTES:]


def _opens(key: bytes, name: str, wrapped: bytes) -> bool:
    try:
        unwrap(key, name, wrapped)
    except MasterKeyError:
        return False
    return True


def missing(keys: Keyring, checks: Sequence[bytes]) -> int:
    """How many of the keys that made these check values are not there."""
    return sum(not keys.opens(check) for check in checks)
