"""The ways out that are held, as a file beside the board: read and written by who has the board's lock."""

import os
import struct
from pathlib import Path

from actors.admission.ways import MOST, Held

_MAGIC = b"wavways1"
_HEAD = struct.Struct("<8sQ")
_ENTRY = struct.Struct("<Qd")
_ROOM = _HEAD.size + MOST * _ENTRY.size


class HeldFile:
    """Raises OSError if it can't be opened, or if there is no room for it.  Without a path nobody shares it."""

    def __init__(self, path: Path | None) -> None:
        if path is None:
            self._fd = os.memfd_create("ways")
        else:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(self._fd, 0, _ROOM)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._fd)

    def read(self) -> dict[int, float]:
        """What is held; nothing if what is there makes no sense.  Raises OSError."""
        magic, count = _HEAD.unpack(os.pread(self._fd, _HEAD.size, 0).ljust(_HEAD.size, b"\0"))
        if magic != _MAGIC or not 0 < count <= MOST:
            return {}
        raw = os.pread(self._fd, count * _ENTRY.size, _HEAD.size)
        return dict(_ENTRY.iter_unpack(raw)) if len(raw) == count * _ENTRY.size else {}

    def write(self, held: Held) -> None:
        """Raises OSError."""
        assert len(held) <= MOST
        raw = _HEAD.pack(_MAGIC, len(held)) + b"".join(_ENTRY.pack(key, at) for key, at in held.items())
        if os.pwrite(self._fd, raw, 0) != len(raw):
            raise OSError(f"{len(raw)} bytes of the ways that are held could not be written")
