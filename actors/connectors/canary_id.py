"""The message ids of canaries: like those of WhatsApp Web's own client, and recognised by who has the key.  Pure.

A canary is none of the user's messages: the host of whoever gets it must know it from them, also one that comes after a
restart, or days later.  Nobody without the key can make a message that looks like one.
"""

import re
from hashlib import blake2b

KEY_BYTES, NONCE_BYTES, MAC_BYTES = 32, 4, 4
_PREFIX = "3EB0CA"
_LAYOUT = re.compile(_PREFIX + r"([0-9A-F]{8})([0-9A-F]{8})")


def make(key: bytes, nonce: bytes) -> str:
    """The id of the canary with that number; 22 characters."""
    return _PREFIX + (nonce + _mac(key, nonce)).hex().upper()


def may_be(message_id: str) -> bool:
    """Whether an id has the layout; one of 256 of others has it too."""
    return _LAYOUT.fullmatch(message_id) is not None


def is_canary(key: bytes, message_id: str) -> bool:
    """Whether an id was made with the key."""
    found = _LAYOUT.fullmatch(message_id)
    return found is not None and _mac(key, bytes.fromhex(found[1])).hex().upper() == found[2]


def _mac(key: bytes, nonce: bytes) -> bytes:
    return blake2b(nonce, key=key, digest_size=MAC_BYTES).digest()
