"""journald's native protocol: one datagram an entry, with fields (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).

What does not fit a datagram travels in a sealed memory file.  Nothing here blocks.
"""

import array
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

SOCKET = Path("/run/systemd/journal/socket")
LONGEST_VALUE = 256 * 1024
"""Bytes of a field; what is longer is cut, with a mark."""

_TOO_LARGE = frozenset({errno.EMSGSIZE, errno.ENOBUFS})
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def stderr_is_journal(environ: Mapping[str, str], fd: int = 2) -> bool:
    """Whether a descriptor is the very stream that systemd connected to the journal (``$JOURNAL_STREAM``).

    The variable alone proves nothing: children inherit it, also when their stderr was redirected (systemd.exec(5)).
    """
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(fd)
    except OSError:
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))


def encode(fields: Mapping[str, str]) -> bytes:
    """An entry.  Names are of ``A-Z0-9_``; values with a line break are length-prefixed, the others are not."""
    parts = []
    for name, text in fields.items():
        value = text.encode(errors="backslashreplace")
        if len(value) > LONGEST_VALUE:
            value = value[:LONGEST_VALUE] + f" … ({len(value) - LONGEST_VALUE} bytes cut)".encode()
        if b"\n" in value:
            parts += [name.encode(), b"\n", struct.pack("<Q", len(value)), value, b"\n"]
        else:
            parts += [name.encode(), b"=", value, b"\n"]
    return b"".join(parts)


class Journal:
    """Sends entries.  May be carried over a fork: the kernel tells journald who sent each datagram."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def send(self, fields: Mapping[str, str]) -> bool:
        """Whether journald has taken the entry.  Never raises, never blocks."""
        data = encode(fields)
        try:
            try:
                self._socket.sendto(data, self._path)
            except OSError as error:
                if error.errno not in _TOO_LARGE:
                    raise
                self._send_file(data)
        except OSError:
            return False
        return True

    def _send_file(self, data: bytes) -> None:
        fd = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.truncate(fd, len(data))
            os.pwrite(fd, data, 0)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))
            self._socket.sendmsg([], [rights], 0, self._path)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()
