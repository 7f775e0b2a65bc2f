"""How auth state is stored: sealed under a data key for each session, or plain without a master key.

A data key is 32 random bytes, wrapped by the master key with the session as associated data.  From it,
HKDF-SHA256 derives one key for names and one for values (RFC 5869).  A key name, which may contain a phone
number, is stored as its HMAC-SHA256.  A value is AES-256-GCM (NIST SP 800-38D) of name and value, with
session, stored name and generation as associated data, so an entry can't be moved to another session, name or
generation.  Nonces are 96 random bits: a data key is good for 2^32 entries, some ten years of ten writes a
second, and a reset makes a new one.
"""

import hmac
import struct
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from actors.vault.errors import Damaged, MasterKeyError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_VERSION: Final = b"\x01"
_NAME_LENGTH: Final = struct.Struct(">H")
_GENERATION: Final = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a session's auth state as the connector knows it."""

    key: str
    value: bytes


class Cipher(Protocol):
    """Turns the entries of one session into what is stored, and back."""

    def name(self, key: str) -> bytes:
        """The stored name of a key; always the same for the same key."""
        ...

    def seal(self, entry: Entry, generation: int, nonce: bytes) -> bytes:
        """The stored value of an entry; ``nonce`` is NONCE_BYTES random bytes."""
        ...

    def open(self, name: bytes, stored: bytes, generation: int) -> Entry:
        """The entry behind a stored name and value.  Raises Damaged."""
        ...


class PlainCipher:
    """For a vault without a master key: the file's mode is all that protects it."""

    def name(self, key: str) -> bytes:
        """The key itself."""
        return key.encode()

    def seal(self, entry: Entry, generation: int, nonce: bytes) -> bytes:
        """The value itself."""
        return entry.value

    def open(self, name: bytes, stored: bytes, generation: int) -> Entry:
        """What was stored."""
        return Entry(name.decode(), stored)


class SealedCipher:
    """For a session with a data key of KEY_BYTES."""

    def __init__(self, session: str, data_key: bytes) -> None:
        self._session = session.encode()
        self._names = _derive(data_key, b"names")
        self._values = AESGCM(_derive(data_key, b"values"))

    def name(self, key: str) -> bytes:
        """HMAC-SHA256 of the key."""
        return hmac.digest(self._names, key.encode(), "sha256")

    def seal(self, entry: Entry, generation: int, nonce: bytes) -> bytes:
        """Version, nonce, ciphertext with tag."""
        key = entry.key.encode()
        text = _NAME_LENGTH.pack(len(key)) + key + entry.value
        sealed = self._values.encrypt(nonce, text, self._associated(self.name(entry.key), generation))
        return _VERSION + nonce + sealed

    def open(self, name: bytes, stored: bytes, generation: int) -> Entry:
        """Raises Damaged unless exactly this was sealed for this session, name and generation."""
        if stored[:1] != _VERSION:
            raise Damaged("an entry has an unknown form")
        body = stored[1:]
        try:
            text = self._values.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], self._associated(name, generation))
        except (InvalidTag, ValueError) as error:
            raise Damaged(
                "an entry does not open with its session's key: restore a backup, or reset its auth state"
            ) from error
        (length,) = _NAME_LENGTH.unpack_from(text)
        end = _NAME_LENGTH.size + length
        return Entry(text[_NAME_LENGTH.size : end].decode(), text[end:])

    def _associated(self, name: bytes, generation: int) -> bytes:
        return b"\0".join((b"wavigil entry", self._session, _GENERATION.pack(generation) + name))


def wrap(master_key: bytes, session: str, data_key: bytes, nonce: bytes) -> bytes:
    """A data key under the master key: version, nonce, ciphertext with tag."""
    return _VERSION + nonce + AESGCM(master_key).encrypt(nonce, data_key, _wrapping(session))


def unwrap(master_key: bytes, session: str, wrapped: bytes) -> bytes:
    """The data key.  Raises MasterKeyError when another master key wrapped it, or for another session."""
    nonce, sealed = wrapped[1 : 1 + NONCE_BYTES], wrapped[1 + NONCE_BYTES :]
    try:
        if wrapped[:1] != _VERSION:
            raise ValueError("unknown form")
        return AESGCM(master_key).decrypt(nonce, sealed, _wrapping(session))
    except (InvalidTag, ValueError) as error:
        raise MasterKeyError("a data key does not open with the configured master key") from error


def _wrapping(session: str) -> bytes:
    return b"wavigil data key\0" + session.encode()


def _derive(data_key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"wavigil vault " + purpose).derive(data_key)
