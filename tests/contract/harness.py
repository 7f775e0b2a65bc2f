"""A connector process as its host and its sessions' actors use it, with a real vault."""

import asyncio
import itertools
import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from actors.connectors.link_events import Closed, Opened
from actors.connectors.protocol import Admission, ReadyLine, StartLine
from actors.connectors.vaultlink import SessionVault, VaultLink
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from actors.vault.keyring import MasterKeys
from actors.vault.server import VaultServer
from tests.contract.connectors import Connector
from tests.contract.peers import WITHIN, HostPeer, SessionPeer

FREELY = Admission(1000.0, 1000, 1000)
HEARTBEAT_MS = 400
HEARTBEAT_TIMEOUT_MS = 1500
_STDERR_KEPT = 4000
_numbers = itertools.count(1)


class Subject:
    """A connector process, its vault, and its host's link."""

    def __init__(self, connector: Connector, folder: Path) -> None:
        self.connector = connector
        self.socket = str(folder / "connector.sock")
        self.vault = VaultServer(folder / "vault.db", folder / "vault.sock", MasterKeys())
        self.link = VaultLink(str(folder / "vault.sock"))
        self.process: asyncio.subprocess.Process
        self.ready: ReadyLine
        self.host: HostPeer
        self._peers: list[SessionPeer] = []
        self._vault_socket = str(folder / "vault.sock")
        self._stderr: asyncio.Task[bytes]

    @property
    def options(self) -> dict[str, Any]:
        """Those of every test."""
        usual = {"heartbeatMs": HEARTBEAT_MS, "heartbeatTimeoutMs": HEARTBEAT_TIMEOUT_MS, "ackTimeoutMs": 8000}
        return {**usual, **self.connector.options()}

    async def start_process(self, **options: Any) -> None:
        """Starts the connector and waits until it is ready; ``options`` go before those of every test."""
        await self.fork_process()
        await self.begin_process(**options)

    async def fork_process(self) -> None:
        """Starts the connector, which gets no start line yet."""
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *self.connector.command(),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={"PATH": os.environ["PATH"], **self.connector.environment()},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._stderr = asyncio.create_task(self.process.stderr.read())

    async def begin_process(self, **options: Any) -> None:
        """Gives it its start line and waits until it is ready."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        start = StartLine(
            self.connector.name,
            self.socket,
            self._vault_socket,
            "contract",
            {**self.options, **options},
            FREELY,
        )
        self.process.stdin.write(json.dumps(start.to_wire()).encode() + b"\n")
        async with asyncio.timeout(WITHIN):
            line = await self.process.stdout.readline()
        assert line, (await self._stderr)[-_STDERR_KEPT:].decode(errors="replace")
        self.ready = ReadyLine.read(json.loads(line))

    async def end_process(self) -> tuple[bytes, bytes]:
        """Kills the connector, if it still runs; what it had still written to its standard output and error."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        return await self.process.stdout.read(), await self._stderr

    async def exit_status(self, within: float) -> int:
        """Waits for the process to end by itself."""
        async with asyncio.timeout(within):
            return await self.process.wait()

    async def session(self, name: str, phone: str = "", generation: int | None = None) -> SessionPeer:
        """A session's link, by default with the next generation."""
        number = await self.link.reserve(name) if generation is None else generation
        peer = await SessionPeer.connect(self.socket, name, number, self.connector.profile(phone or "15550000"))
        self._peers.append(peer)
        return peer

    async def leave(self) -> None:
        """Ends the links of all sessions."""
        while self._peers:
            await self._peers.pop().leave()

    async def paired(self, name: str, phone: str) -> SessionPeer:
        """A session's link, with an auth state."""
        handle = await self.claimed(name)
        await self.connector.pair_in_advance(handle, phone)
        return await self.session(name, phone)

    async def opened(self, name: str, phone: str) -> SessionPeer:
        """A session that is open."""
        peer = await self.paired(name, phone)
        await peer.ask("open")
        await peer.next(Opened)
        return peer

    async def claimed(self, name: str) -> SessionVault:
        """The auth state of a session, taken from whoever has it."""
        handle = SessionVault(self.link, name)
        await handle.claim(await self.link.reserve(name))
        return handle

    async def close(self, peer: SessionPeer) -> None:
        """Closes the connection, if there is one, and the link."""
        if not peer.link.closed.is_set():
            await peer.ask("close")
        await peer.leave()


def fresh_name() -> str:
    """A session id that no other test uses."""
    return f"s-{next(_numbers)}"


def fresh_phone() -> str:
    """A phone number that no other test uses."""
    return f"1555{next(_numbers):07d}"


def causes(peer: SessionPeer) -> list[tuple[int, str]]:
    """Code and reason of each end of a connection so far."""
    return [(event.code, event.reason) for event in peer.inbox.of(Closed)]


@asynccontextmanager
async def subject(connector: Connector, **options: Any) -> AsyncIterator[Subject]:
    """A connector process with its host connected; everything ends with the block."""
    with tempfile.TemporaryDirectory(prefix="contract") as name:
        folder = Path(name)
        upgrade(folder / "vault.db", Kind.VAULT)
        it = Subject(connector, folder)
        await it.vault.start()
        try:
            await it.start_process(**options)
            try:
                it.host = await HostPeer.connect(it.socket)
                try:
                    yield it
                finally:
                    await it.leave()
                    await it.host.leave()
            finally:
                await it.end_process()
        finally:
            await it.link.close()
            await it.vault.stop()
