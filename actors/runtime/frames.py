"""Length-prefixed msgpack frames: the wire form of the connector, vault and gateway protocols.

A frame is an unsigned 32-bit big-endian length followed by that many bytes of msgpack, always a map with
string keys.  Nothing but plain data can come out of a frame: no extension types, no objects.
"""

import asyncio
import struct
from typing import Any

import msgpack

from actors.runtime import limits

MAX_FRAME = limits.MAX_FRAME

_HEADER = struct.Struct(">I")
_AS_FLOAT = 1
"""msgpack's one built-in extension, the timestamp, as seconds since 1970."""

Frame = dict[str, Any]


class FrameError(Exception):
    """The peer sent something that is not a frame; the link can't be read any further."""


def encode(message: Frame) -> bytes:
    """The bytes of one frame.  Raises FrameError for what is not plain data, or longer than MAX_FRAME."""
    try:
        body: bytes = msgpack.packb(message, use_bin_type=True)
    except (TypeError, ValueError, OverflowError) as error:  # ValueError holds UnicodeEncodeError: a lone surrogate
        raise FrameError(f"can't be sent: {type(error).__name__}") from error
    if len(body) > MAX_FRAME:
        raise FrameError(f"frame of {len(body)} bytes is over the limit of {MAX_FRAME}")
    return _HEADER.pack(len(body)) + body


def decode(body: bytes) -> Frame:
    """The map inside one frame body.  Raises FrameError for anything else."""
    try:
        value = msgpack.unpackb(body, raw=False, strict_map_key=True, ext_hook=_no_extension, timestamp=_AS_FLOAT)
    except Exception as error:  # msgpack raises ValueError, its own errors and UnicodeDecodeError
        raise FrameError(f"not msgpack: {error}") from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise FrameError("a frame must hold a map with string keys")
    return value


def _no_extension(code: int, _data: bytes) -> Any:
    raise ValueError(f"extension type {code}")


async def read(reader: asyncio.StreamReader, longest: int = MAX_FRAME) -> Frame | None:
    """The next frame, or None at a clean end of the stream.

    Raises FrameError for malformed input, and for an announced body of more than ``longest`` bytes.
    """
    inside = False
    try:
        header = await reader.readexactly(_HEADER.size)
        inside = True
        (length,) = _HEADER.unpack(header)
        if length > longest:
            raise FrameError(f"announced frame of {length} bytes is over the limit of {longest}")
        return decode(await reader.readexactly(length))
    except asyncio.IncompleteReadError as error:
        if not inside and not error.partial:
            return None
        raise FrameError("the stream ended inside a frame") from error
    except OSError:
        return None
