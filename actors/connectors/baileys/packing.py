"""Large values are kept compressed in the vault, since one commit must fit a frame.  As bridge/packing.mjs.  Pure."""

import zlib
from typing import Final

from actors.vault.requests import MAX_VALUE

PACK_FROM: Final = 256 * 1024
"""Bytes from which on a value is compressed."""
MAX_UNPACKED: Final = 16 * 1024 * 1024
"""Bytes of a value as Baileys knows it."""
_MAGIC: Final = b"\x1f\x8b"
"""gzip's first bytes (RFC 1952), with which no JSON text begins."""
_LEVEL: Final = 6
_GZIP: Final = 16 + zlib.MAX_WBITS
"""Of zlib: with gzip's header."""


class BadPacked(ValueError):
    """What is stored can't be unfolded."""


def pack(text: bytes) -> bytes:
    """A JSON text as the vault takes it."""
    return zlib.compress(text, _LEVEL, _GZIP) if len(text) >= PACK_FROM else text


def unpack(stored: bytes) -> bytes:
    """The JSON text that the vault has.  Raises BadPacked."""
    if not stored.startswith(_MAGIC):
        return stored
    unfolding = zlib.decompressobj(_GZIP)
    try:
        text = unfolding.decompress(stored, MAX_UNPACKED)
    except zlib.error:
        raise BadPacked("no gzip") from None
    if not unfolding.eof:
        raise BadPacked("cut off, or too long")
    return text


def fits(text: bytes) -> bool:
    """Whether the vault takes it."""
    if len(text) <= MAX_VALUE:
        return True
    return len(text) <= MAX_UNPACKED and len(pack(text)) <= MAX_VALUE
