"""kill -9 in the middle of commits: what was acknowledged is there, what was not is there wholly or not at all."""

import asyncio
import random
from collections import deque
from pathlib import Path

import pytest

from actors.runtime.rpc import LinkClosed
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from tests.integration.crashing import crasher
from tests.integration.vaults import MASTER_KEY, Peer, owner

pytestmark = pytest.mark.integration

SESSIONS = 6
PIPELINED = 4
KEYS = ["creds", "session-1", "session-2"]
RNG = random.Random(20)


class Writer:
    """Writes the numbers 1, 2, … under all KEYS of a session, several commits under way at a time."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.sent = 0
        self.acknowledged = 0

    async def write(self, peer: Peer) -> None:
        """Until the vault is gone."""
        under_way: deque[asyncio.Task[None]] = deque()
        try:
            while True:
                while len(under_way) < PIPELINED:
                    self.sent += 1
                    under_way.append(asyncio.create_task(self._commit(peer, self.sent)))
                await under_way.popleft()
        except LinkClosed:
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _commit(self, peer: Peer, number: int) -> None:
        value = b"%d" % number
        # Each commit writes all keys, and one key of its own instead of its predecessor's.
        gone = [f"only-{number - 1}"]
        await peer.ask("commit", set={f"only-{number}": value, **dict.fromkeys(KEYS, value)}, **{"del": gone})
        assert number == self.acknowledged + 1, "commits of a session are answered in their order"
        self.acknowledged = number

    async def check(self, peer: Peer) -> None:
        """What a successor finds, and goes on from."""
        entries = await peer.load()
        found = int(entries.get("creds", b"0"))
        assert self.acknowledged <= found <= self.sent
        value = b"%d" % found
        assert entries == ({f"only-{found}": value, **dict.fromkeys(KEYS, value)} if found else {})
        self.sent = self.acknowledged = found


@pytest.mark.parametrize("rounds", [15, pytest.param(300, marks=pytest.mark.full)])
@pytest.mark.parametrize("master_key", ["", MASTER_KEY.hex()], ids=["plain", "sealed"])
@pytest.mark.timeout(300)
async def test_kills(tmp_path: Path, master_key: str, rounds: int) -> None:
    socket = tmp_path / "vault.sock"
    upgrade(tmp_path / "vault.db", Kind.VAULT)
    writers = [Writer(f"s{number}") for number in range(SESSIONS)]
    async with crasher("vault", str(tmp_path / "vault.db"), str(socket), master_key) as server:

        async def one_round(writer: Writer, everyone: asyncio.Barrier) -> None:
            async with owner(socket, writer.session) as peer:
                await writer.check(peer)
                await everyone.wait()
                await writer.write(peer)

        for _ in range(rounds):
            await server.start()
            everyone = asyncio.Barrier(SESSIONS + 1)
            writing = asyncio.gather(*(one_round(writer, everyone) for writer in writers))
            async with asyncio.timeout(30):
                await everyone.wait()
            before = sum(writer.acknowledged for writer in writers)
            enough = before + RNG.randint(1, 80)
            while sum(writer.acknowledged for writer in writers) < enough and not writing.done():  # noqa: ASYNC110
                await asyncio.sleep(0)
            await asyncio.sleep(RNG.uniform(0, 0.003))  # anywhere in a transaction
            server.kill()
            await writing
        await server.start()
        for writer in writers:
            async with owner(socket, writer.session) as peer:
                assert peer.generation == rounds + 1
                await writer.check(peer)
                assert writer.acknowledged > 0
