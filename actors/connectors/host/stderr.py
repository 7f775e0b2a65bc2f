"""What a connector process says on its stderr, as lines of this process' log.

A connector writes JSON objects, a line each: ``level``, ``event``, often ``session``, and more.  Anything else (a
traceback, a message of the Node.js runtime itself) is passed on as it is.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
from dataclasses import dataclass
from typing import IO, Any

from actors.runtime.bucket import Bucket

PIPE_BYTES = 1024 * 1024
"""Room for what is said while this process can't read: Node.js waits when its stderr is full."""
RATE = 200.0
"""Lines a second, on average: more would fill the log, and keep the host from its work."""
BURST = 2000
LONGEST_LINE = 32 * 1024
"""Bytes; what is longer comes in pieces."""

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True, slots=True)
class Said:
    """One line."""

    level: int
    text: str
    session: str | None


def parse(line: str) -> Said | None:
    """What a line means; None for an empty one."""
    if not line.strip():
        return None
    try:
        said = _read(json.loads(line))
    except (ValueError, RecursionError):  # no JSON, or nested deeper than Python reads or writes it
        said = None
    return said or Said(logging.WARNING, line.rstrip(), None)


def _read(entry: Any) -> Said | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("event"), str):
        return None
    session = entry.get("session")
    details = [
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in entry.items()
        if name not in {"level", "event", "session"} and value is not None
    ]
    named = session if isinstance(session, str) else None
    text = f"{named}: {entry['event']}" if named else entry["event"]
    return Said(_LEVELS.get(str(entry.get("level")), logging.WARNING), ", ".join([text, *details]), named)


class Relay:
    """Reads the stderr of one process in the running loop."""

    def __init__(self, pipe: IO[bytes], connector: str) -> None:
        self._pipe = pipe
        self._log = logging.getLogger(f"connector.{connector}")
        self._pending = b""
        self._loop = asyncio.get_running_loop()
        self._bucket = Bucket(RATE, BURST, float(BURST), self._loop.time())
        self._dropped = 0
        with contextlib.suppress(OSError):  # the bound of an unprivileged user may be lower
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe.fileno(), self._read)

    def close(self) -> None:
        """Passes on what is left; the last words of a process are the most wanted ones."""
        if self._pipe.closed:
            return
        self._loop.remove_reader(self._pipe.fileno())
        while self._take():
            pass
        self._pass_on(self._pending)
        self._pipe.close()

    def _read(self) -> None:
        if self._take() == b"":
            self.close()

    def _take(self) -> bytes | None:
        """What was read: empty at the end, None when nothing is there now."""
        try:
            chunk = os.read(self._pipe.fileno(), LONGEST_LINE)
        except BlockingIOError:
            return None
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        if len(self._pending) > LONGEST_LINE:
            lines, self._pending = [*lines, self._pending], b""
        for line in lines:
            self._pass_on(line)
        return chunk

    def _pass_on(self, line: bytes) -> None:
        said = parse(line.decode(errors="replace"))
        if said is None or not self._admits():
            return
        if self._dropped:
            self._log.warning("%d lines were dropped: it says more than %g a second", self._dropped, RATE)
            self._dropped = 0
        self._log.log(said.level, "%s", said.text, extra={"session": said.session} if said.session else None)

    def _admits(self) -> bool:
        """Whether the log takes one more line."""
        taken = self._bucket.refilled(self._loop.time()).taken()
        if taken is None:
            self._dropped += 1
            return False
        self._bucket = taken
        return True
