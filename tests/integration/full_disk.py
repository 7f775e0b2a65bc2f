"""Fills a database until the disk refuses, makes room, goes on: `python -m tests.integration.full_disk FOLDER`.

On its own it lowers the largest size a file may have (RLIMIT_FSIZE), which needs no rights; the test with a
small file system calls `exercise` itself.
"""

import asyncio
import itertools
import resource
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from actors.events import EventType
from actors.runtime.rpc import Link, RemoteError
from actors.store import outbox
from actors.store.engine import Database, open_writer
from actors.store.errors import StoreFull
from actors.store.migrate import upgrade
from actors.store.records import NewEvent
from actors.store.tables import Kind
from actors.vault.client import reserve
from actors.vault.keyring import MasterKeys
from actors.vault.server import VaultServer
from actors.vault.storage import Storage
from tests.integration.vaults import owner, until

SECRET = "hunter2" * 4000
LIMIT = 512 * 1024


async def append(database: Database, number: int) -> None:
    """One transaction of 28 kB."""
    async with database.begin() as conn:
        await outbox.append(conn, [NewEvent(float(number), EventType.SESSION_MESSAGE, "a", {"text": SECRET})])


async def until_refused(write: Callable[[int], Awaitable[None]]) -> tuple[int, Exception]:
    """How many writes were acknowledged before the first refusal, and that."""
    for number in itertools.count():
        try:
            await write(number)
        except (StoreFull, RemoteError) as error:
            assert number > 3
            return number, error
    raise AssertionError


async def fill_outbox(folder: Path, make_room: Callable[[], None]) -> None:
    """Until full; then what was acknowledged is there, and after room was made the next transaction works."""
    upgrade(folder / "shard.db", Kind.SHARD)
    async with await open_writer(folder / "shard.db") as database:
        stored, error = await until_refused(partial(append, database))
        assert isinstance(error, StoreFull), error
        assert "hunter2" not in f"{error}{error.__cause__}"
        for _ in range(2):
            try:
                await append(database, stored)
            except StoreFull:
                continue
            stored += 1
        make_room()
        await append(database, stored)
        async with database.begin() as conn:
            events = await outbox.read_after(conn, 0, 10_000)
        assert [event.at for event in events] == [float(number) for number in range(stored + 1)]
        assert [event.seq for event in events] == list(range(1, stored + 2))


async def fill_vault(folder: Path, make_room: Callable[[], None]) -> None:
    """The same through the vault's socket."""
    upgrade(folder / "vault.db", Kind.VAULT)
    socket = str(folder / "vault.sock")
    server = VaultServer(folder / "vault.db", folder / "vault.sock", MasterKeys())
    await server.start()
    generation = (await reserve(socket, "a", 5.0)).generation
    link = await Link.connect(socket)
    await link.request("hello", protocol=1, role="connector")
    mine: dict[str, Any] = {"session": "a", "generation": generation}

    async def commit(number: int) -> None:
        await link.request("commit", **mine, set={f"key-{number}": SECRET.encode()})

    await link.request("claim", **mine)
    stored, error = await until_refused(commit)
    assert isinstance(error, RemoteError), error
    assert error.code == "full"
    assert "hunter2" not in str(error)
    assert (await link.request("load", **mine, after=None))["entries"].keys() == {f"key-{n}" for n in range(stored)}
    make_room()
    await commit(stored)
    await link.close()
    await server.stop()


async def end_rotation(folder: Path) -> None:
    """Full just when the log of a rotation is to be emptied; then with room it ends, and the next one begins."""
    keys = [bytes([number]) * 32 for number in range(3)]
    upgrade(folder / "vault.db", Kind.VAULT)
    server = VaultServer(folder / "vault.db", folder / "vault.sock", MasterKeys(keys[0]))
    await server.start()
    async with owner(folder / "vault.sock", "a") as peer:
        await peer.ask("commit", set={f"key-{number}": SECRET.encode() for number in range(10)})
    fold = Storage._fold

    def without_room(storage: Storage) -> bool:
        limit_files(LIMIT // 8)
        return fold(storage)

    with patch.object(Storage, "_fold", without_room):
        await server.adopt(MasterKeys(keys[1], (keys[0],)))
        await until(lambda: (server.store() or {}).get("writable") is False)
        assert server.stats()["rotation"]["left"] == 0
    limit_files(-1)
    await until(lambda: server.stats()["rotation"] is None)
    await server.adopt(MasterKeys(keys[2], (keys[1],)))
    await until(lambda: server.stats()["rotation"] is None)
    async with owner(folder / "vault.sock", "a") as peer:
        assert len(await peer.load()) == 10
    await server.stop()


def limit_files(size: int) -> None:
    """Sets the largest size of a file in bytes, -1 for none."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def exercise(folder: Path, refill: Callable[[], None], make_room: Callable[[], None]) -> None:
    """Both databases, one after the other."""
    for fill in (fill_outbox, fill_vault):
        refill()
        await fill(folder, make_room)


if __name__ == "__main__":
    here = Path(sys.argv[1])
    asyncio.run(exercise(here, lambda: limit_files(LIMIT), lambda: limit_files(-1)))
    (here / "rotation").mkdir()
    asyncio.run(end_rotation(here / "rotation"))
