"""The standard output of a connector process: one ready line, and nothing after it."""

import asyncio
import logging
import os
from typing import IO

log = logging.getLogger(__name__)

LONGEST = 64 * 1024
"""Bytes of a ready line."""
_CHUNK = 64 * 1024


class Stdout:
    """Reads it in the running loop.  What comes after the first line is read and dropped: nobody may block on it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self._first: asyncio.Future[bytes | None] = self._loop.create_future()
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe.fileno(), self._read)

    async def first_line(self) -> bytes | None:
        """The first line; None when it ended without one.  Raises ValueError for one that is too long."""
        return await self._first

    def _read(self) -> None:
        try:
            chunk = os.read(self._pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self._settle(None)
            self.close()
        elif self._first.done():
            self._said_more(chunk)
        else:
            self._head += chunk
            line, newline, rest = self._head.partition(b"\n")
            if newline:
                self._settle(line)
                self._said_more(rest)
            elif len(self._head) > LONGEST:
                self._head = b""
                self._first.set_exception(ValueError(f"it printed {LONGEST} bytes and no line"))

    def _settle(self, line: bytes | None) -> None:
        self._head = b""
        if not self._first.done():
            self._first.set_result(line)

    def _said_more(self, chunk: bytes) -> None:
        if chunk and not self._told:
            self._told = True
            log.warning("a connector prints more than its ready line on its standard output: it is dropped")

    _told = False

    def close(self) -> None:
        """Reads no more; who waits for the first line gets None."""
        if self._pipe.closed:
            return
        self._settle(None)
        self._loop.remove_reader(self._pipe.fileno())
        self._pipe.close()
