"""Requests with ids, and pushed events, over frames: what the connector, vault and gateway links have in common.

Request ``{"id": n, "cmd": name, ...}`` -> ``{"re": n, "ok": value}`` or
``{"re": n, "err": {"code", "message", "data"?}}``; event ``{"ev": name, ...}``.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import socket
import struct
import termios
from collections.abc import Awaitable, Callable
from typing import Any

from actors.runtime import frames
from actors.runtime.frames import Frame
from actors.runtime.limits import UNLIMITED, Breach, FloodError, Limits, Meter

log = logging.getLogger(__name__)

WRITE_LIMIT = 8 * 1024 * 1024
"""Bytes that may wait for a peer that does not read; beyond it the link is cut: a slow peer never fills memory."""

RUNNING_LIMIT = 4096
"""Requests of one peer that may be under way; further ones are refused as ``busy``: a flood never fills memory."""
FLUSH_PATIENCE = 2.0
"""Seconds that a closing link gives its peer to read what is queued."""
BACKLOG = 1024
"""Connections that may wait to be accepted: after a restart of a service a whole fleet comes at once."""

_CREDENTIALS = struct.Struct("3i")
"""``struct ucred``: pid, uid, gid."""
_COUNT = struct.Struct("i")
"""What FIONREAD fills in: bytes."""

_reading: set[asyncio.Task[None]] = set()
"""The loop itself only keeps weak references to tasks: a link that nobody holds would be collected while it is open."""


class RemoteError(Exception):
    """The peer answered a request with an error: a machine-readable code, a sentence, and details."""

    def __init__(self, code: str, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.data = data or {}


class LinkClosed(RemoteError):
    """The link ended before the answer came: whether the request took effect is not known."""

    def __init__(self) -> None:
        super().__init__("link_closed", "the connection ended before the answer")


Handler = Callable[["Link", Frame], Awaitable[Any]]
EventHandler = Callable[["Link", Frame], None]


class Link:
    """One end of a connection.  ``on_request`` answers the peer's requests, ``on_event`` sees its events."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_request: Handler | None = None,
        on_event: EventHandler | None = None,
        limits: Limits = UNLIMITED,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_request = on_request
        self._on_event = on_event
        self._limits = limits
        self._meter = Meter(limits, asyncio.get_running_loop().time())
        self._asked = 0
        """The highest id of a request so far."""
        self.breach: tuple[Breach, str] | None = None
        """Why the link was cut, with a sentence; None while it was not, or was for no fault of the peer's."""
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = asyncio.Event()
        ucred = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        self.peer: int = _CREDENTIALS.unpack(ucred)[0]
        """Pid of the process at the other end: for the end that connected, of the process that listens (unix(7))."""
        self.answered = False
        """Whether the peer has answered anything in time yet."""
        self.answers = 0
        """How many answers have come, those that came too late included."""
        self._task = asyncio.get_running_loop().create_task(self._read())
        _reading.add(self._task)
        self._task.add_done_callback(_reading.discard)

    @classmethod
    async def connect(
        cls,
        path: str,
        on_request: Handler | None = None,
        on_event: EventHandler | None = None,
        limits: Limits = UNLIMITED,
    ) -> "Link":
        """Connects to a Unix socket.  Raises OSError when nobody listens there."""
        reader, writer = await asyncio.open_unix_connection(path)
        return cls(reader, writer, on_request, on_event, limits)

    def send(self, message: Frame) -> None:
        """Queues a frame; silently dropped on a closed link (the reader notices the end).

        Raises FrameError for what no frame can hold.
        """
        if self.closed.is_set() or self._writer.is_closing():
            return
        self._writer.write(frames.encode(message))
        if self._writer.transport.get_write_buffer_size() > WRITE_LIMIT:
            self._cut(Breach.NOT_READING, f"it does not read, {WRITE_LIMIT >> 20} MiB wait for it")

    def _cut(self, breach: Breach, why: str) -> None:
        if self.breach is None:
            self.breach = (breach, why)
            log.warning("a peer broke the protocol, its link is cut: %s", why)
        self._writer.transport.abort()

    def behind(self) -> bool:
        """Whether the peer has sent what was not read yet: an answer may be among it."""
        transport = self._writer.transport
        assert isinstance(transport, asyncio.Transport)  # of a socket: it goes both ways
        if self.closed.is_set() or transport.is_closing():
            return False
        if not transport.is_reading():  # the reader is full
            return True
        waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.FIONREAD, bytes(_COUNT.size))
        return bool(_COUNT.unpack(waiting)[0])

    def event(self, name: str, **fields: Any) -> None:
        """Pushes an event to the peer."""
        self.send({"ev": name, **fields})

    async def request(self, cmd: str, deadline: float = 10.0, **fields: Any) -> Any:
        """The peer's answer.  Raises RemoteError, LinkClosed, or TimeoutError after ``deadline`` seconds.

        What no frame can hold is a RemoteError ``invalid``, as if the peer had refused it.
        """
        if self.closed.is_set():
            raise LinkClosed
        self._asked = number = self._asked + 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        try:
            self.send({"id": number, "cmd": cmd, **fields})
            async with asyncio.timeout(deadline):
                return await future
        except frames.FrameError as error:
            raise RemoteError("invalid", str(error)) from None
        finally:
            self._pending.pop(number, None)

    def abort(self) -> None:
        """Ends the link at once."""
        self._writer.transport.abort()
        self._finish()

    async def close(self) -> None:
        """Flushes what is queued, waits for the handlers under way, and ends the link."""
        self._writer.close()
        self._finish()
        own = asyncio.current_task()  # a handler may close its own link
        await asyncio.gather(*({self._task, *self._tasks} - {own}), return_exceptions=True)
        flushed = asyncio.ensure_future(self._writer.wait_closed())
        if not (await asyncio.wait([flushed], timeout=FLUSH_PATIENCE))[0]:
            self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await flushed

    def _finish(self) -> None:
        if self.closed.is_set():
            return
        self.closed.set()
        for future in self._pending.values():
            if not future.done():
                future.set_exception(LinkClosed())
        self._writer.close()
        if asyncio.current_task() is not self._task:
            self._task.cancel()

    async def _read(self) -> None:
        try:
            while (message := await frames.read(self._reader, self._limits.frame)) is not None:
                if not self._answered(message):
                    self._meter.count(asyncio.get_running_loop().time())
                    self._dispatch(message)
        except FloodError as error:
            self._cut(Breach.FLOOD, str(error))
        except frames.FrameError as error:
            self._cut(Breach.MALFORMED, str(error))
        except Exception:  # a handler of events failed: what it saw of this link can't be relied on
            log.exception("the handler of a link failed, the link is cut")
            self._writer.transport.abort()
        finally:
            self._finish()

    def _dispatch(self, message: Frame) -> None:
        if "re" in message:
            return  # answered too late
        if "ev" in message:
            if self._on_event is not None:
                self._on_event(self, message)
        elif "cmd" in message:
            if len(self._tasks) >= RUNNING_LIMIT:
                self._refuse(message.get("id"), "busy", f"{RUNNING_LIMIT} requests are under way")
                return
            task = asyncio.get_running_loop().create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            raise frames.FrameError("neither a request nor an answer nor an event")

    def _answered(self, message: Frame) -> bool:
        """Whether the frame is the answer to a request under way; one to what was never asked raises FrameError."""
        if "re" not in message:
            return False
        number = message["re"]
        if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= self._asked:
            raise frames.FrameError("an answer to what was not asked")
        self.answers += 1
        future = self._pending.get(number)
        if future is None or future.done():
            return False  # its deadline has passed
        self.answered = True
        error = message.get("err")
        if error is None:
            future.set_result(message.get("ok"))
        elif not isinstance(error, dict):
            raise frames.FrameError("err must be a map")
        elif not isinstance(data := error.get("data"), dict | None):
            raise frames.FrameError("data of an err must be a map")
        else:
            future.set_exception(RemoteError(str(error.get("code", "internal")), str(error.get("message", "")), data))
        return True

    def _refuse(self, number: Any, code: str, message: str, data: dict[str, Any] | None = None) -> None:
        self.send({"re": number, "err": {"code": code, "message": message, "data": data or {}}})

    async def _answer(self, message: Frame) -> None:
        """The peer always gets an answer, whatever becomes of its request: it must not wait for its deadline."""
        number = message.get("id")
        try:
            if self._on_request is None:
                raise RemoteError("unknown_command", f"no command is accepted here, got {message['cmd']!r}")
            self.send({"re": number, "ok": await self._on_request(self, message)})
        except RemoteError as error:
            self._refuse(number, error.code, error.message, error.data)
        except frames.FrameError as error:
            log.error("the answer to %r %s", message["cmd"], error)
            self._refuse(number, "internal", f"the answer {error}")
        except (KeyError, TypeError, ValueError) as error:
            self._refuse(number, "bad_request", f"{type(error).__name__}: {error}")
        except Exception:
            log.exception("a request %r failed", message["cmd"])
            self._refuse(number, "internal", "an error that the log of the peer explains")


async def serve(
    path: str, on_link: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> asyncio.Server:
    """Listens on a Unix socket of mode 0600, replacing what a dead predecessor left there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - one system call
    listener = socket.socket(socket.AF_UNIX)
    try:
        umask = os.umask(0o177)  # the socket must never be open to others, not even between bind and chmod
        try:
            listener.bind(path)  # without await: another task must not make its files under this mask
        finally:
            os.umask(umask)
        return await asyncio.start_unix_server(on_link, sock=listener, backlog=BACKLOG)
    except BaseException:
        listener.close()
        raise
