"""The vault over its socket, as connectors and session actors use it."""

import asyncio
import os
import sqlite3
import stat
import struct
from pathlib import Path
from typing import Any

import msgpack
import pytest

from actors.runtime import frames
from actors.runtime.rpc import Link, LinkClosed, RemoteError
from actors.store import engine
from actors.store.errors import StoreError
from actors.vault import link as vault_link
from actors.vault.client import Reservation, VaultUnavailable, reserve
from actors.vault.keyring import MasterKeys
from actors.vault.requests import MAX_VALUE, PAGE
from actors.vault.server import VaultServer
from tests.integration.vaults import HELLO, MASTER_KEY, Peer, greeted, owner, running, until

pytestmark = pytest.mark.integration

KEYS = pytest.mark.parametrize("master_key", [None, MASTER_KEY], ids=["plain", "sealed"])


async def refusal(peer: Peer, command: str, **fields: Any) -> str:
    """The code of the error that a request is answered with."""
    with pytest.raises(RemoteError) as caught:
        await peer.ask(command, **fields)
    return caught.value.code


@KEYS
async def test_auth_state_survives_a_restart(tmp_path: Path, master_key: bytes | None) -> None:
    async with running(tmp_path, master_key), owner(tmp_path / "vault.sock", "a") as peer:
        assert peer.generation == 1
        assert await peer.ask("claim") == {"paired": False}
        assert await peer.ask("commit", set={"creds": b"1", "key-1": b"x", "key-2": b""}, paired=True) == {}
        assert await peer.ask("commit", set={"creds": b"2"}, **{"del": ["key-1", "never-there"]}) == {}
    assert not (tmp_path / "vault.sock").exists()
    async with running(tmp_path, master_key), owner(tmp_path / "vault.sock", "a") as peer:
        assert peer.generation == 2
        assert await peer.ask("claim") == {"paired": True}
        assert await peer.load() == {"creds": b"2", "key-2": b""}
        assert await peer.ask("reset") == {}
        assert await peer.load() == {}
        assert await peer.ask("claim") == {"paired": False}
        assert await peer.ask("commit", set={"creds": b"3"}) == {}
        assert await peer.load() == {"creds": b"3"}


async def test_a_later_generation_fences_the_earlier(tmp_path: Path) -> None:
    socket = tmp_path / "vault.sock"
    async with running(tmp_path), owner(socket, "a") as old:
        await old.ask("commit", set={"k": b"old"})
        generation = (await reserve(str(socket), "a", 5.0)).generation
        await old.ask("commit", set={"k": b"still mine"})
        new = Peer(await greeted(socket), "a", generation)
        assert await refusal(new, "load", after=None) == "fenced"
        await new.ask("claim")
        for command, fields in (
            ("commit", {"set": {"k": b"late"}}),
            ("load", {"after": None}),
            ("reset", {}),
            ("claim", {}),
        ):
            assert await refusal(old, command, **fields) == "fenced"
        assert await new.load() == {"k": b"still mine"}
        never = Peer(new.link, "a", 99)
        assert await refusal(never, "claim") == "fenced"
        async with owner(socket, "b") as other:
            assert await other.load() == {}
        await new.link.close()


async def test_pipelined_commits_are_applied_in_order_and_loads_see_them(tmp_path: Path) -> None:
    async with running(tmp_path), owner(tmp_path / "vault.sock", "a") as peer:
        requests = [
            asyncio.ensure_future(peer.ask("commit", **({"del": ["k"]} if n % 3 == 2 else {"set": {"k": b"%d" % n}})))
            for n in range(100)
        ]
        seen = asyncio.ensure_future(peer.ask("load", after=None))
        await asyncio.gather(*requests)
        assert (await seen)["entries"] == {"k": b"99"}
        assert await peer.load() == {"k": b"99"}


@KEYS
async def test_pages(tmp_path: Path, master_key: bytes | None) -> None:
    entries = {f"key-{n}": os.urandom(size) for n, size in enumerate([MAX_VALUE, 0, 1] + [200_000] * 20 + [50] * 300)}
    async with running(tmp_path, master_key), owner(tmp_path / "vault.sock", "a") as peer:
        for key, value in entries.items():
            await peer.ask("commit", set={key: value})
        page = await peer.ask("load", after=None)
        assert len(page["entries"]) == 1 or sum(map(len, page["entries"].values())) <= PAGE
        assert page["next"] is not None
        assert await peer.load() == entries


async def test_limits_and_mistakes_are_answered_and_the_link_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path), owner(tmp_path / "vault.sock", "a") as peer:
        assert await refusal(peer, "commit", set={"k": bytes(MAX_VALUE + 1)}) == "limit"
        assert await refusal(peer, "commit", set={"k" * 513: b""}) == "limit"
        assert await refusal(peer, "commit", set={"k": "text"}) == "bad_request"
        assert await refusal(peer, "steal") == "unknown_command"
        assert await refusal(peer, "hello", protocol=1, role="connector") == "unknown_command"
        assert await peer.ask("commit", set={"k": bytes(MAX_VALUE)}) == {}
        stats = await peer.ask("stats")
        assert stats["sealed"]
        assert (stats["links"], stats["failed"], stats["queued"]) == (1, 0, 0)
        assert stats["dbBytes"] > 0
        assert 0 < stats["latencyMs"]["p50"] <= stats["latencyMs"]["p99"]


async def raw(socket: Path, data: bytes) -> bytes:
    """What comes back until the vault ends the link."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        writer.write(data)
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", 2**32 - 1) + b"x",
        struct.pack(">I", 3) + b"\xc1\xc1\xc1",
        struct.pack(">I", 1) + msgpack.packb(5),
        frames.encode({"id": 1, "cmd": "reserve", "session": "a"}),
        frames.encode({"cmd": "hello", "protocol": 1, "role": "connector"}),
        HELLO + frames.encode({"id": -1, "cmd": "reserve", "session": "a"}),
        HELLO + struct.pack(">I", 100_000_000),
    ],
    ids=["huge", "not msgpack", "not a map", "no hello", "no id", "negative id", "too long"],
)
async def test_malformed_input_ends_that_link_only(tmp_path: Path, data: bytes) -> None:
    async with running(tmp_path), owner(tmp_path / "vault.sock", "a") as peer:
        answered = await raw(tmp_path / "vault.sock", data)
        assert answered in {b"", frames.encode({"re": 1, "ok": {"protocol": 1}})}
        assert await peer.ask("commit", set={"k": b"v"}) == {}


@pytest.mark.parametrize(
    ("hello", "code"),
    [({"protocol": 2, "role": "connector"}, "unsupported_protocol"), ({"protocol": 1, "role": "host"}, "bad_request")],
)
async def test_a_wrong_hello_is_explained(tmp_path: Path, hello: dict[str, Any], code: str) -> None:
    async with running(tmp_path):
        answer = await raw(tmp_path / "vault.sock", frames.encode({"id": 7, "cmd": "hello", **hello}))
        refused = frames.decode(answer[4:])
        assert refused["re"] == 7
        assert refused["err"]["code"] == code


async def test_who_says_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_link, "HELLO_DEADLINE", 0.05)
    async with running(tmp_path):
        assert await raw(tmp_path / "vault.sock", b"") == b""


async def test_a_half_closed_peer_still_gets_its_answers(tmp_path: Path) -> None:
    async with running(tmp_path):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "vault.sock"))
        writer.write(HELLO + frames.encode({"id": 2, "cmd": "reserve", "session": "a"}))
        writer.write_eof()
        answers = [await frames.read(reader), await frames.read(reader), await frames.read(reader)]
        assert answers == [{"re": 1, "ok": {"protocol": 1}}, {"re": 2, "ok": {"generation": 1, "replaced": 0}}, None]
        writer.close()


async def test_the_socket_and_the_files_are_private(tmp_path: Path) -> None:
    async with running(tmp_path), owner(tmp_path / "vault.sock", "a"):
        for name in ("vault.db", "vault.db-shm", "vault.db-wal", "vault.sock"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


async def test_stopping_answers_what_was_accepted(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        async with owner(tmp_path / "vault.sock", "a") as peer:
            commits = [asyncio.ensure_future(peer.ask("commit", set={"k": b"%d" % n})) for n in range(50)]
            await until(lambda: server.stats()["answered"] >= 5)
            await server.stop()
            found = await asyncio.gather(*commits, return_exceptions=True)
        acknowledged = sum(answer == {} for answer in found)
        assert all(answer == {} or isinstance(answer, LinkClosed) for answer in found)
    async with running(tmp_path), owner(tmp_path / "vault.sock", "a") as peer:
        assert int((await peer.load())["k"]) >= acknowledged - 1


async def test_reserving_waits_for_the_vault_until_its_deadline(tmp_path: Path) -> None:
    socket = str(tmp_path / "vault.sock")
    waiting = asyncio.ensure_future(reserve(socket, "a", 20.0))
    async with running(tmp_path):
        assert await waiting == Reservation(1)
        with pytest.raises(RemoteError, match="bad_request"):
            await reserve(socket, "NOT A SESSION", 20.0)
    with pytest.raises(VaultUnavailable, match=r"within 0\.2 s"):
        await reserve(socket, "a", 0.2)


async def test_a_vault_that_never_answers_is_unavailable_at_the_deadline(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_unix_server(silent, tmp_path / "vault.sock")
    with pytest.raises(VaultUnavailable, match="no answer"):
        await reserve(str(tmp_path / "vault.sock"), "a", 0.2)
    gone.set()
    server.close()
    await server.wait_closed()


async def test_a_locked_database_is_an_error_and_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT", 0.05)
    async with running(tmp_path), owner(tmp_path / "vault.sock", "a") as peer:
        blocker = sqlite3.connect(tmp_path / "vault.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        assert await refusal(peer, "commit", set={"k": b"v"}) == "internal"
        blocker.rollback()
        blocker.close()
        assert await peer.ask("commit", set={"k": b"v"}) == {}
        assert (await peer.ask("stats"))["failed"] == 1


async def test_a_database_that_was_not_migrated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        await VaultServer(tmp_path / "vault.db", tmp_path / "vault.sock", MasterKeys()).start()
    assert not (tmp_path / "vault.sock").exists()


async def test_a_second_server_takes_the_socket_over_and_fencing_holds(tmp_path: Path) -> None:
    socket = tmp_path / "vault.sock"
    async with running(tmp_path) as first, owner(socket, "a") as old:
        async with running(tmp_path), owner(socket, "a") as new:
            await new.ask("commit", set={"k": b"new"})
            assert await refusal(old, "commit", set={"k": b"old"}) == "fenced"
            await first.stop()
            assert await new.load() == {"k": b"new"}
            assert await reserve(str(socket), "a", 5.0) == Reservation(3)
        assert not socket.exists()


async def test_an_unanswered_request_fails_when_the_vault_goes(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        link: Link = await greeted(tmp_path / "vault.sock")
        await server.stop()
        with pytest.raises(LinkClosed):
            await link.request("stats")
        await link.close()
