"""A simulator in the test's own loop, with a vault, a host and as many sessions as wanted."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from actors.connectors.link_events import Closed, Opened
from actors.connectors.protocol import Admission, StartLine
from actors.connectors.simulator.server import Server
from actors.connectors.vaultlink import VaultLink
from tests.contract.peers import HostPeer, SessionPeer
from tests.contract.vault_twin import VaultTwin
from tests.unit.connectors.simulator.virtual import VirtualLoop

PAIRED: Mapping[str, Any] = {"paired": True}
FREELY = Admission(1000.0, 1000, 1000)


class Rig:
    """What a test plays with."""

    def __init__(self, server: Server, vault: VaultTwin, socket: str) -> None:
        self.server = server
        self.vault = vault
        self.socket = socket
        self.host: HostPeer
        self.link = VaultLink(vault.path, "session")
        self._peers: list[SessionPeer] = []
        self.loop = asyncio.get_running_loop()

    async def session(self, name: str, profile: Mapping[str, Any] | None = PAIRED) -> SessionPeer:
        """A session's link with the next generation."""
        peer = await SessionPeer.connect(self.socket, name, await self.link.reserve(name), profile)
        self._peers.append(peer)
        return peer

    async def leave(self) -> None:
        """Ends all links."""
        for peer in (*self._peers, self.host):
            await peer.leave()
        await self.link.close()

    async def opened(self, name: str, profile: Mapping[str, Any] | None = PAIRED) -> SessionPeer:
        """A session that is open."""
        peer = await self.session(name, profile)
        await peer.ask("open")
        await peer.next(Opened)
        return peer

    async def fault(self, session: str, fault: str, **parameters: Any) -> None:
        """Plays a fault."""
        await self.host.ask("fault", session=session, fault=fault, **parameters)

    async def closed(self, peer: SessionPeer, within: float = 100.0) -> tuple[int, str]:
        """Code and reason of the next end of a connection."""
        event = await peer.next(Closed, within)
        return event.code, event.reason


@asynccontextmanager
async def rig(admission: Admission = FREELY, **options: Any) -> AsyncIterator[Rig]:
    """A running simulator; ``options`` are those of the start line."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    with tempfile.TemporaryDirectory(prefix="sim") as folder:
        socket = str(Path(folder) / "connector.sock")
        vault = VaultTwin(str(Path(folder) / "vault.sock"))
        await vault.start()
        start = StartLine("simulator", socket, vault.path, "test", options, admission)
        server = Server(start, "1", 1, loop.wall)
        await server.listen()
        rig = Rig(server, vault, socket)
        rig.host = await HostPeer.connect(socket)
        try:
            yield rig
        finally:
            await rig.leave()
            await server.close()
            await vault.stop()
            vault.close()
