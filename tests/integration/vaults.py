"""A vault server on a socket of its own, and peers that speak to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from actors.runtime import frames
from actors.runtime.rpc import Link
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from actors.vault.client import reserve
from actors.vault.keyring import MasterKeys
from actors.vault.server import VaultServer

MASTER_KEY = bytes(range(32))
HELLO = frames.encode({"id": 1, "cmd": "hello", "protocol": 1, "role": "connector"})


async def until(condition: Callable[[], bool], deadline: float = 20.0) -> None:
    """Waits for a condition that nobody announces."""
    async with asyncio.timeout(deadline):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Peer:
    """A connector's link on behalf of one session and generation."""

    def __init__(self, link: Link, session: str, generation: int) -> None:
        self.link = link
        self.session = session
        self.generation = generation

    async def ask(self, command: str, **fields: Any) -> Any:
        """One request of this session and generation."""
        return await self.link.request(command, 30.0, session=self.session, generation=self.generation, **fields)

    async def load(self) -> dict[str, bytes]:
        """All entries, page by page."""
        entries: dict[str, bytes] = {}
        after = None
        while True:
            page = await self.ask("load", after=after)
            assert entries.keys().isdisjoint(page["entries"])
            entries |= page["entries"]
            after = page["next"]
            if after is None:
                return entries


async def greeted(socket: Path) -> Link:
    """A link that said hello."""
    link = await Link.connect(str(socket))
    assert await link.request("hello", protocol=1, role="connector") == {"protocol": 1}
    return link


@asynccontextmanager
async def owner(socket: Path, session: str) -> AsyncIterator[Peer]:
    """A peer that reserved and claimed the session's next generation."""
    generation = (await reserve(str(socket), session, 10.0)).generation
    peer = Peer(await greeted(socket), session, generation)
    try:
        await peer.ask("claim")
        yield peer
    finally:
        await peer.link.close()


@asynccontextmanager
async def running(folder: Path, master_key: bytes | None = MASTER_KEY) -> AsyncIterator[VaultServer]:
    """A server with ``vault.db`` and ``vault.sock`` in a folder."""
    upgrade(folder / "vault.db", Kind.VAULT)
    server = VaultServer(folder / "vault.db", folder / "vault.sock", MasterKeys(master_key))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
