"""A real bridge process between the lab's server and a real vault, for `test_bridge.py`."""

import asyncio
import itertools
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from actors.connectors.baileys import launch
from actors.connectors.link_events import Closed, Opened, Paired, Qr
from actors.connectors.node import find_node
from actors.connectors.protocol import Admission, ReadyLine
from actors.connectors.vaultlink import SessionVault, VaultLink
from actors.runtime import rpc
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, RemoteError
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from actors.vault.keyring import MasterKeys
from actors.vault.server import VaultServer
from tests.contract.peers import WITHIN, HostPeer, Peer, SessionPeer
from tests.labclient import Lab

FREELY: Final = Admission(1000.0, 1000, 1000)
QUICK: Final = launch.Options(
    heartbeat_ms=500, heartbeat_timeout_ms=5000, open_deadline_ms=20_000, ack_timeout_ms=20_000
)
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Durable:
    """A commit that the vault has carried out."""

    session: str
    keys: frozenset[str]
    at: float
    """When its answer was there, in milliseconds since 1970, as the lab's journal has it."""


class SlowVault:
    """Stands between the bridge and the vault; may keep commits back, or the answers to them."""

    def __init__(self, path: str, vault: str) -> None:
        self.path = path
        self._go = asyncio.Event()
        self._go.set()
        self._waiting = asyncio.Event()
        self._vault = vault
        self.delay = 0.0
        """Seconds that a commit waits before the vault hears of it."""
        self.refusal = ""
        """The code with which commits are refused; empty: they are not."""
        self.commits: list[Durable] = []
        self._server: asyncio.Server | None = None
        self._links: list[Link] = []

    def hold(self) -> None:
        """From now on commits are carried out, but their answers wait."""
        self._go.clear()
        self._waiting.clear()

    async def held(self) -> None:
        """Returns when the answer to a commit waits."""
        async with asyncio.timeout(WITHIN):
            await self._waiting.wait()

    def release(self) -> None:
        """The answers go out."""
        self._go.set()

    async def start(self) -> None:
        """Listens."""
        self._server = await rpc.serve(self.path, self._connected)

    async def stop(self) -> None:
        """The vault is away: nobody listens, and the links are cut."""
        if self._server is not None:
            self._server.close()
        self._server = None
        await asyncio.to_thread(Path(self.path).unlink, missing_ok=True)
        links, self._links = self._links, []
        for link in links:
            link.abort()
        for link in links:
            await link.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await Link.connect(self._vault)

        async def forward(_: Link, frame: Frame) -> Any:
            fields = {name: value for name, value in frame.items() if name not in {"id", "cmd"}}
            if frame["cmd"] != "commit":
                return await upstream.request(frame["cmd"], WITHIN, **fields)
            if self.refusal:
                raise RemoteError(self.refusal, "as the test wants it")
            if self.delay:
                await asyncio.sleep(self.delay)  # this delay is what is tested
            answer = await upstream.request("commit", WITHIN, **fields)
            keys = frozenset([*fields["set"], *fields["del"]])
            self.commits.append(Durable(fields["session"], keys, time.time() * 1000))
            if not self._go.is_set():
                self._waiting.set()
                await self._go.wait()
            return answer

        link = Link(reader, writer, on_request=forward)
        self._links += [link, upstream]
        await link.closed.wait()
        upstream.abort()


class Rig:
    """The bridge, its host's link, its vault, and the lab that it connects to."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.socket = str(folder / "bridge.sock")
        self.vault = VaultServer(folder / "vault.db", folder / "real.sock", MasterKeys(bytes(32)))
        self.slow = SlowVault(str(folder / "vault.sock"), str(folder / "real.sock"))
        self.link = VaultLink(str(folder / "real.sock"))
        self.process: asyncio.subprocess.Process
        self.ready: ReadyLine
        self.host: HostPeer
        self._peers: list[Peer] = []
        self._stderr: asyncio.Task[bytes]

    async def start(self, admission: Admission = FREELY, **changes: Any) -> None:
        """Starts the bridge with the quick options, changed, and connects as its host."""
        pipe = asyncio.subprocess.PIPE
        node = (await asyncio.to_thread(find_node)).path
        self.process = await asyncio.create_subprocess_exec(
            *launch.command(node), stdin=pipe, stdout=pipe, stderr=pipe, env=launch.environment()
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._stderr = asyncio.create_task(self.process.stderr.read())
        options = replace(QUICK, websocket_url=self.lab.ws_url, noise_root_key=self.lab.root_key, **changes)
        line = launch.config_line(
            options, socket=self.socket, vault=self.slow.path, host="shard-0", admission=admission
        )
        self.process.stdin.write(json.dumps(line.to_wire()).encode() + b"\n")
        async with asyncio.timeout(WITHIN):
            said = await self.process.stdout.readline()
        assert said, await self._stderr
        self.ready = ReadyLine.read(json.loads(said))
        self.host = await HostPeer.connect(self.socket)
        self._peers.append(self.host)

    async def stop(self) -> list[dict[str, Any]]:
        """Ends the bridge; the lines of its log."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            async with asyncio.timeout(3):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise
        return [json.loads(line) for line in (await self._stderr).splitlines()]

    async def session(self, name: str) -> SessionPeer:
        """A session's link with the next generation."""
        peer = await SessionPeer.connect(self.socket, name, await self.link.reserve(name))
        self._peers.append(peer)
        return peer

    async def leave(self) -> None:
        """Ends the links that were made here."""
        for peer in self._peers:
            await peer.leave()

    async def paired(self, name: str, phone: str) -> SessionPeer:
        """A session's link, paired by QR; its connection has closed with 515."""
        peer = await self.session(name)
        await peer.ask("open")
        await self.lab.scan((await peer.next(Qr)).qr, phone)
        await peer.next(Paired)
        await peer.next(Closed, code=515)
        return peer

    async def opened(self, name: str, phone: str) -> SessionPeer:
        """A session that is paired and open."""
        peer = await self.paired(name, phone)
        await reopen(peer)
        return peer

    async def entries(self, name: str) -> dict[str, bytes]:
        """A session's auth state, taken from whoever has it."""
        handle = SessionVault(self.link, name)
        await handle.claim(await self.link.reserve(name))
        return await handle.load()


async def reopen(peer: SessionPeer) -> Opened:
    """Opens a paired session."""
    await peer.ask("open")
    return await peer.next(Opened)


def fresh_name() -> str:
    """A session id that no other test uses."""
    return f"s-{next(_numbers)}"


def fresh_phone() -> str:
    """A phone number that no other test uses."""
    return f"1555{next(_numbers):07d}"


def jid(phone: str) -> str:
    """The address of a phone number."""
    return f"{phone}@s.whatsapp.net"


@asynccontextmanager
async def rig(lab: Lab, admission: Admission = FREELY, **changes: Any) -> AsyncIterator[Rig]:
    """A bridge with its host; everything but the lab ends with the block."""
    with tempfile.TemporaryDirectory(prefix="bridge") as name:
        folder = Path(name)
        upgrade(folder / "vault.db", Kind.VAULT)
        it = Rig(lab, folder)
        await it.vault.start()
        await it.slow.start()
        try:
            await it.start(admission, **changes)
            try:
                yield it
            finally:
                if it.process.returncode is None:
                    it.process.kill()
                await it.process.wait()
                await it.leave()
        finally:
            it.slow.release()
            await it.slow.stop()
            await it.link.close()
            await it.vault.stop()
