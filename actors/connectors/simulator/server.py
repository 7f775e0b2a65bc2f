"""The links of a simulator process: who may say what, and what is answered."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from actors.connectors.fields import BadField, Fields
from actors.connectors.protocol import ADMIT, CAPABILITIES, PROTOCOL, PROXY, STORED, ErrorCode, ReadyLine, StartLine
from actors.connectors.rating import QUALITY
from actors.connectors.simulator.commands import drill_command, host_command, session_command
from actors.connectors.simulator.profile import Profile
from actors.connectors.simulator.session import Session
from actors.connectors.simulator.shared import Options, Shared
from actors.connectors.simulator.stats import LagProbe
from actors.connectors.vaultlink import VaultLink
from actors.runtime import frames, rpc
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, RemoteError

NAME = "simulator"
HELLO_SECONDS = 10.0
"""How long a link may take for its first request."""


class Server:
    """Listens, greets, and gives each link its commands.  ``host_gone`` is set when the host's link has ended."""

    def __init__(self, start: StartLine, version: str, pid: int, wall: Callable[[], float] = time.time) -> None:
        options = Options.read(Fields(start.options, "options"))
        self.ready = ReadyLine(NAME, version, pid)
        self.host_gone = asyncio.Event()
        self._start = start
        self._shared = Shared(options, VaultLink(start.vault), start.admission, wall)
        self._lag = LagProbe(self._shared.loop)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Opens the socket.  Raises OSError."""
        self._server = await rpc.serve(
            self._start.socket, lambda reader, writer: self._run(self._greet(reader, writer))
        )

    async def close(self) -> None:
        """Ends all links and leaves the vault."""
        if self._server is not None:
            self._server.close()
        self._lag.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._shared.vault.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._shared.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                hello = await frames.read(reader)
        except (frames.FrameError, TimeoutError):
            hello = None
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        number = hello.get("id") if hello is not None else None
        if hello is None or hello.get("cmd") != "hello" or isinstance(number, bool) or not isinstance(number, int):
            writer.transport.abort()
            return
        try:
            await self._welcome(hello, number, reader, writer)
        except (RemoteError, BadField) as problem:
            error = problem if isinstance(problem, RemoteError) else _bad_request(problem)
            body = {"code": error.code, "message": error.message, "data": error.data}
            writer.write(frames.encode({"re": number, "err": body}))
            writer.close()

    async def _welcome(
        self, hello: Frame, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        wire = Fields(hello)
        if wire.integer("protocol") != PROTOCOL:
            raise RemoteError(ErrorCode.UNSUPPORTED_PROTOCOL, f"this is protocol {PROTOCOL}", {"protocol": PROTOCOL})
        answer: Frame = self.ready.to_wire() | {"capabilities": [*CAPABILITIES, STORED, ADMIT, PROXY, QUALITY]}
        del answer["ready"]
        match wire.text("role"):
            case "host":
                await self._host(number, answer, reader, writer)
            case "session":
                await self._session(number, answer, wire, reader, writer)
            case "drill":
                await self._drill(number, answer, reader, writer)
            case role:
                raise BadField("role", f"expected host, session or drill, got {role!r}")

    async def _host(
        self, number: int, answer: Frame, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._shared.host is not None:
            raise RemoteError(ErrorCode.BUSY, "the host is connected already")
        writer.write(frames.encode({"re": number, "ok": answer}))
        link = self._shared.host = Link(
            reader, writer, lambda _, request: _guarded(host_command(self._shared, self._lag, request))
        )
        self._shared.kept.attach(link)
        try:
            await link.closed.wait()
        finally:
            link.abort()
            self.host_gone.set()

    async def _drill(
        self, number: int, answer: Frame, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Somebody who plays the world: there may be several, and nothing depends on them."""
        writer.write(frames.encode({"re": number, "ok": answer}))
        link = Link(reader, writer, lambda _, request: _guarded(drill_command(self._shared, request)))
        self._shared.drills.add(link)
        try:
            await link.closed.wait()
        finally:
            link.abort()
            self._shared.drills.discard(link)

    async def _session(
        self, number: int, answer: Frame, wire: Fields, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        name, generation = wire.text("session"), wire.integer("generation", least=1)
        if not name:
            raise BadField("session", "expected an id")
        profile = Profile.read(wire.get("profile"))
        session = self._shared.session(name) or self._shared.remember(Session(name, self._shared))
        paired = await session.claim(generation)
        session.behave(profile, paired)
        adopted = session.connection is not None
        writer.write(
            frames.encode({"re": number, "ok": {**answer, "adopted": adopted, "state": session.state.to_wire()}})
        )
        link = Link(reader, writer, lambda _, request: _guarded(session_command(session, request)))
        if (old := session.attach(link)) is not None:
            self._run(old.close())
        try:
            await link.closed.wait()
        finally:
            link.abort()
            session.detach(link)


def _bad_request(problem: BadField) -> RemoteError:
    return RemoteError(ErrorCode.BAD_REQUEST, str(problem), {"key": problem.path})


async def _guarded(answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    except BadField as problem:
        raise _bad_request(problem) from problem
    except RemoteError:
        raise
    except Exception as error:  # a fault of ours: it is logged, told, and costs nobody else anything
        logging.getLogger(__name__).exception("a command failed")
        raise RemoteError(ErrorCode.INTERNAL, type(error).__name__) from error
