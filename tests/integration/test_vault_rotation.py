"""Another master key while the vault works, with kill -9 at any moment: nothing is lost, the old key opens nothing."""

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

import pytest

from actors.runtime.rpc import Link, LinkClosed, RemoteError
from actors.vault import server as server_module
from actors.vault.envelope import unwrap
from actors.vault.errors import MasterKeyError
from actors.vault.keyring import MasterKeys
from actors.vault.server import VaultServer
from actors.vault.storage import Storage
from tests.integration.crashing import Crasher, crasher
from tests.integration.vaults import MASTER_KEY, owner, running, until

pytestmark = pytest.mark.integration

NEW_KEY = bytes(reversed(MASTER_KEY))
NAMES = [f"s{number}" for number in range(6)]
RNG = random.Random(7)


def wrapped(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each session's data key as it is stored."""
    with closing(sqlite3.connect(folder / "vault.db")) as conn:
        yield from conn.execute("SELECT session, wrapped_key FROM sessions").fetchall()


def opened_by(folder: Path, key: bytes) -> set[str]:
    """The sessions whose data key this master key opens."""
    found = set()
    for session, data_key in wrapped(folder):
        try:
            unwrap(key, session, data_key)
        except MasterKeyError:
            continue
        found.add(session)
    return found


def is_unfinished(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / "vault.db")) as conn:
        return bool(conn.execute("SELECT count(*) FROM meta WHERE key = 'rotation'").fetchone()[0])


async def fill(folder: Path, key: bytes | None, size: int = 300) -> dict[str, dict[str, bytes]]:
    """Sessions with entries."""
    states = {name: {f"k{i}": f"{name} {i}".encode() * 20 for i in range(size)} for name in NAMES}
    async with running(folder, key):
        for name, state in states.items():
            async with owner(folder / "vault.sock", name) as peer:
                await peer.ask("commit", set=state, paired=True)
    return states


async def main_link(folder: Path) -> Link:
    link = await Link.connect(str(folder / "vault.sock"))
    await link.request("hello", protocol=1, role="main")
    return link


async def rotate(folder: Path, master: bytes | None, previous: list[bytes]) -> None:
    """Offers the keys as main does, and returns when the rotation is done."""
    link = await main_link(folder)
    try:
        async with asyncio.timeout(20):
            while (await link.request("keys", master=master, previous=previous))["rotation"]:  # noqa: ASYNC110
                await asyncio.sleep(0)
    finally:
        await link.close()


@pytest.mark.parametrize("before", [MASTER_KEY, None], ids=["sealed", "plain"])
async def test_while_sessions_go_on(tmp_path: Path, before: bytes | None) -> None:
    states = await fill(tmp_path, before)
    async with running(tmp_path, before) as server:
        stop = asyncio.Event()

        async def write(name: str) -> None:
            async with owner(tmp_path / "vault.sock", name) as peer:
                number = 0
                while not stop.is_set():
                    number += 1
                    states[name]["counter"] = str(number).encode()
                    await peer.ask("commit", set={"counter": states[name]["counter"]})
                    assert await peer.load() == states[name]

        writing = asyncio.gather(*(write(name) for name in NAMES[:3]))
        await rotate(tmp_path, NEW_KEY, [before] if before else [])
        async with owner(tmp_path / "vault.sock", "made-later") as peer:
            await peer.ask("commit", set={"k": b"v"})
        stop.set()
        await writing
        assert server.stats()["rotation"] is None
        stored = b"".join((tmp_path / name).read_bytes() for name in ("vault.db", "vault.db-wal"))
        assert b"s1 299" not in stored
    assert opened_by(tmp_path, NEW_KEY) == {*NAMES, "made-later"}
    async with running(tmp_path, NEW_KEY):
        for name, state in states.items():
            async with owner(tmp_path / "vault.sock", name) as peer:
                assert await peer.load() == state
    if before:
        assert opened_by(tmp_path, before) == set()
        with pytest.raises(MasterKeyError, match="sealed with another master key"):
            await VaultServer(tmp_path / "vault.db", tmp_path / "vault.sock", MasterKeys(before)).start()


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each try to empty the write-ahead log did it; without long pauses between them."""
    tries: list[bool] = []
    fold = Storage._fold

    def watched(storage: Storage) -> bool:
        tries.append(fold(storage))
        return tries[-1]

    monkeypatch.setattr(server_module, "READER_PAUSE", 0.01)
    monkeypatch.setattr(Storage, "_fold", watched)
    return tries


async def test_it_ends_when_nobody_reads_what_was_replaced(tmp_path: Path, folded: list[bool]) -> None:
    """A backup that runs meanwhile keeps the write-ahead log; commits go on, and the log is empty when it is done."""
    states = await fill(tmp_path, MASTER_KEY, size=20)
    old = [data_key for _, data_key in wrapped(tmp_path)]
    async with running(tmp_path) as server, owner(tmp_path / "vault.sock", "s0") as peer:
        with closing(sqlite3.connect(tmp_path / "vault.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM entries").fetchone()
            await server.adopt(MasterKeys(NEW_KEY, (MASTER_KEY,)))
            await until(lambda: len(folded) > 3, 3.0)
            async with asyncio.timeout(3):
                states["s0"]["meanwhile"] = b"v"
                await peer.ask("commit", set={"meanwhile": b"v"})
            assert server.stats()["rotation"]["left"] == 0
            assert is_unfinished(tmp_path)
            reader.execute("COMMIT")
        await until(lambda: server.stats()["rotation"] is None)
        assert folded[-1] is True
        assert not any(folded[:-1])
        stored = b"".join((tmp_path / name).read_bytes() for name in ("vault.db", "vault.db-wal"))
        assert not any(data_key in stored for data_key in old)
        assert await peer.load() == states["s0"]
    assert opened_by(tmp_path, NEW_KEY) == set(NAMES)


async def test_one_that_waits_for_a_reader_goes_on_after_a_restart(tmp_path: Path, folded: list[bool]) -> None:
    await fill(tmp_path, MASTER_KEY, size=3)
    with closing(sqlite3.connect(tmp_path / "vault.db", isolation_level=None)) as reader:
        async with running(tmp_path) as server:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM entries").fetchone()
            await server.adopt(MasterKeys(NEW_KEY, (MASTER_KEY,)))
            await until(lambda: len(folded) > 1)
        assert is_unfinished(tmp_path)
        reader.execute("COMMIT")
    server = VaultServer(tmp_path / "vault.db", tmp_path / "vault.sock", MasterKeys(NEW_KEY, (MASTER_KEY,)))
    await server.start()
    try:
        await until(lambda: server.stats()["rotation"] is None)
    finally:
        await server.stop()
    assert not is_unfinished(tmp_path)


async def test_one_that_stopped_goes_on_when_the_keys_are_offered_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(tmp_path, MASTER_KEY, size=3)

    def broken(_: Storage) -> bool:
        raise RuntimeError("a mistake of the program")

    async with running(tmp_path) as server:
        with monkeypatch.context() as patched:
            patched.setattr(Storage, "_fold", broken)
            await server.adopt(MasterKeys(NEW_KEY, (MASTER_KEY,)))
            await until(lambda: "the rotation of the master key stopped" in caplog.text)
        assert server.stats()["rotation"] is not None
        await rotate(tmp_path, NEW_KEY, [MASTER_KEY])


@pytest.mark.parametrize("rounds", [12, pytest.param(300, marks=pytest.mark.full)])
@pytest.mark.timeout(300)
async def test_kills(tmp_path: Path, rounds: int) -> None:
    """Back and forth between two keys, killed at a random moment of it each time."""
    states = await fill(tmp_path, MASTER_KEY, size=40)
    interrupted = 0
    async with crash_with(tmp_path, NEW_KEY, MASTER_KEY) as forth, crash_with(tmp_path, MASTER_KEY, NEW_KEY) as back:
        for number in range(rounds):
            server, keys = (forth, [NEW_KEY, MASTER_KEY]) if number % 2 == 0 else (back, [MASTER_KEY, NEW_KEY])
            await server.start()
            async with asyncio.timeout(10):
                link = await reached(tmp_path)
            async with owner(tmp_path / "vault.sock", "s0") as peer:
                states["s0"]["counter"] = str(number).encode()
                await peer.ask("commit", set={"counter": states["s0"]["counter"]})
                if number % 4 == 3:
                    await finished(link)
                else:
                    await asyncio.sleep(RNG.choice([0, 0.002, 0.01, 0.03, 0.06]))  # anywhere in the rotation
            await link.close()
            server.kill()
            interrupted += is_unfinished(tmp_path)
            await all_is_there(tmp_path, states, keys)
    assert rounds / 4 < interrupted <= rounds * 3 / 4


async def finished(link: Link) -> None:
    async with asyncio.timeout(20):
        while (await link.request("stats"))["rotation"]:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def crash_with(folder: Path, master: bytes, previous: bytes) -> AbstractAsyncContextManager[Crasher]:
    return crasher("vault", str(folder / "vault.db"), str(folder / "vault.sock"), master.hex(), previous.hex())


async def reached(folder: Path) -> Link:
    while True:
        try:
            return await main_link(folder)
        except (OSError, LinkClosed):
            await asyncio.sleep(0.002)


async def all_is_there(folder: Path, states: dict[str, dict[str, bytes]], keys: list[bytes]) -> None:
    """With both keys everything opens; with one alone nothing is touched, as long as the rotation is unfinished."""
    master, previous = keys
    assert opened_by(folder, master) | opened_by(folder, previous) == set(NAMES)
    if is_unfinished(folder):
        for alone in (MasterKeys(master), MasterKeys(previous)):
            with pytest.raises(MasterKeyError, match=r"unfinished|another master key"):
                await VaultServer(folder / "vault.db", folder / "vault.sock", alone).start()
    server = VaultServer(folder / "vault.db", folder / "vault.sock", MasterKeys(master, (previous,)))
    await server.start()
    try:
        for name, state in states.items():
            assert await read(folder, name) == state
    finally:
        await server.stop()


async def test_keys_that_do_not_open_change_nothing(tmp_path: Path) -> None:
    states = await fill(tmp_path, MASTER_KEY, size=3)
    before = set(wrapped(tmp_path))
    async with running(tmp_path), owner(tmp_path / "vault.sock", "s1") as peer:
        link = await main_link(tmp_path)
        for master, previous in ((bytes(32), []), (None, []), (bytes(32), [bytes(range(1, 33))]), (b"short", [])):
            with pytest.raises(RemoteError) as refused:
                await link.request("keys", master=master, previous=previous)
            assert refused.value.code == "master_key"
        with pytest.raises(RemoteError, match="master must be bytes"):
            await link.request("keys", master="text", previous=[])
        await link.close()
        with pytest.raises(RemoteError, match="the vault knows"):  # nobody but main
            await peer.link.request("keys", master=MASTER_KEY, previous=[])
        assert await peer.load() == states["s1"]
    assert set(wrapped(tmp_path)) == before


async def test_a_vault_that_was_started_with_the_old_key_waits_for_the_new_one(tmp_path: Path) -> None:
    states = await fill(tmp_path, NEW_KEY, size=3)
    server = VaultServer(tmp_path / "vault.db", tmp_path / "vault.sock", MasterKeys(MASTER_KEY), patient=True)
    await server.start()
    try:
        reading = asyncio.create_task(read(tmp_path, "s1"))
        await until(lambda: server.stats()["queued"] + server.stats()["links"] > 0)
        assert not reading.done()
        await rotate(tmp_path, NEW_KEY, [])
        assert await reading == states["s1"]
    finally:
        await server.stop()


async def read(folder: Path, name: str) -> dict[str, bytes]:
    async with owner(folder / "vault.sock", name) as peer:
        return await peer.load()


async def test_what_was_damaged_before_holds_up_nothing(tmp_path: Path) -> None:
    """One session with an entry, another with a data key that nothing opens."""
    states = await fill(tmp_path, MASTER_KEY, size=3)
    with closing(sqlite3.connect(tmp_path / "vault.db")) as conn, conn:
        conn.execute("UPDATE entries SET value = (SELECT max(value) FROM entries) WHERE session = 's1'")
        conn.execute("UPDATE sessions SET wrapped_key = zeroblob(61) WHERE session = 's2'")
    async with running(tmp_path):
        await rotate(tmp_path, NEW_KEY, [MASTER_KEY])
    assert opened_by(tmp_path, NEW_KEY) == set(NAMES) - {"s2"}
    async with running(tmp_path, NEW_KEY):
        for name in set(NAMES) - {"s1", "s2"}:
            assert await read(tmp_path, name) == states[name]
        async with owner(tmp_path / "vault.sock", "s1") as peer:
            with pytest.raises(RemoteError, match="does not open"):
                await peer.load()
            await peer.ask("reset")


async def test_pages_of_a_load_go_on_over_a_rotation(tmp_path: Path) -> None:
    state = {f"k{number}": bytes([number]) * 400_000 for number in range(6)}
    async with running(tmp_path), owner(tmp_path / "vault.sock", "s0") as peer:
        for key, value in state.items():
            await peer.ask("commit", set={key: value})
        page = await peer.ask("load", after=None)
        assert page["next"] is not None
        await rotate(tmp_path, NEW_KEY, [MASTER_KEY])
        found = dict(page["entries"])
        while page["next"] is not None:
            page = await peer.ask("load", after=page["next"])
            found |= page["entries"]
        assert found == state
