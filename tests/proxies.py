"""Real proxies on loopback: CONNECT (RFC 9110) and SOCKS5 (RFC 1928, 1929); they remember what they were asked for."""

import asyncio
import base64
import ipaddress
import struct
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import ClassVar, Final, Self

_WITHIN: Final = 15.0
_CHUNK: Final = 65536
_SUCCEEDED: Final = b"\x05\x00\x00\x01" + bytes(6)
_UNREACHABLE: Final = b"\x05\x04\x00\x01" + bytes(6)
_NO_METHOD: Final = b"\x05\xff"
_PASSWORD: Final = 2
_DOMAIN: Final = 3


class Proxy(ABC):
    """One that forwards all that it is asked to; as an async context manager it listens.  ``names`` are its DNS."""

    scheme: ClassVar[str]

    def __init__(self, login: tuple[str, str] | None = None, names: dict[str, str] | None = None) -> None:
        self._login = login
        self._names = names or {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._came = asyncio.Event()
        self._port = 0
        self.asked: list[tuple[str, int]] = []
        """Host and port of each request, also of those that it refused to forward."""
        self.silent = False
        """Whether it accepts connections and says nothing."""

    @property
    def port(self) -> int:
        """Where it listens, or listened."""
        return self._port

    @property
    def url(self) -> str:
        """With the login that it wants."""
        return self.url_with(self._login)

    def url_with(self, login: tuple[str, str] | None) -> str:
        """With another login."""
        user = "" if login is None else "{}:{}@".format(*login)
        return f"{self.scheme}://{user}127.0.0.1:{self._port}"

    async def reached(self) -> None:
        """Returns when somebody is connected to it."""
        async with asyncio.timeout(_WITHIN):
            await self._came.wait()

    async def idle(self) -> None:
        """Returns when nobody is connected to it any more."""
        if self._tasks:
            async with asyncio.timeout(_WITHIN):
                await asyncio.wait(self._tasks)

    async def start(self) -> None:
        """Listens, again on the port from before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Ends with all that goes through it."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._gone)
        self._came.set()

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self._came.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.silent:
                await reader.read()
                return
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._greet(reader, writer)
        finally:
            writer.transport.abort()

    @abstractmethod
    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...

    async def _dial(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.asked.append((host, port))
        return await asyncio.open_connection(self._names.get(host, host), port)

    @staticmethod
    async def _pump(
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter], far: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while chunk := await reader.read(_CHUNK):
                writer.write(chunk)
                await writer.drain()

        copies = [asyncio.ensure_future(copy(near[0], far[1])), asyncio.ensure_future(copy(far[0], near[1]))]
        try:
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in copies:
                task.cancel()
            await asyncio.gather(*copies, return_exceptions=True)
            far[1].transport.abort()


class ConnectProxy(Proxy):
    """HTTP CONNECT."""

    scheme = "http"

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        host, _, port = head[0].split()[1].rpartition(":")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        if self._login is not None:
            wanted = "Basic " + base64.b64encode(":".join(self._login).encode()).decode()
            if fields.get("proxy-authorization") != wanted:
                self.asked.append((host, int(port)))
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                await reader.read()
                return
        try:
            far = await self._dial(host, int(port))
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await reader.read()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await self._pump((reader, writer), far)


class SocksProxy(Proxy):
    """SOCKS5."""

    scheme = "socks5"

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = await reader.readexactly((await reader.readexactly(2))[1])
        if self._login is None:
            writer.write(b"\x05\x00")
        elif _PASSWORD not in methods:
            writer.write(_NO_METHOD)
            await reader.read()
            return
        else:
            writer.write(b"\x05\x02")
            user = await reader.readexactly((await reader.readexactly(2))[1])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            right = (user.decode(), password.decode()) == self._login
            writer.write(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                await reader.read()
                return
        kind = (await reader.readexactly(4))[3]
        if kind == _DOMAIN:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        try:
            far = await self._dial(host, port)
        except OSError:
            writer.write(_UNREACHABLE)
            await reader.read()
            return
        writer.write(_SUCCEEDED)
        await self._pump((reader, writer), far)
