"""A peer that asks too much or reads too little is held back, and nobody else notices."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from actors.runtime import frames
from actors.vault.link import MAX_UNDER_WAY
from actors.vault.requests import MAX_VALUE, PAGE
from tests.integration.vaults import HELLO, greeted, owner, running, until

pytestmark = pytest.mark.integration


async def test_a_flood_is_not_read(tmp_path: Path) -> None:
    async with running(tmp_path) as server, owner(tmp_path / "vault.sock", "a") as peer:
        blocker = sqlite3.connect(tmp_path / "vault.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        value = bytes(MAX_VALUE)
        frame = {"cmd": "commit", "session": "a", "generation": peer.generation, "set": {"flood": value}}
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "vault.sock"))
        writer.write(HELLO + b"".join(frames.encode({"id": n, **frame}) for n in range(2, 42)))
        try:
            await until(lambda: max(link.under_way for link in server.links) > MAX_UNDER_WAY)
            for _ in range(50):  # turns in which the vault would read on, if it did
                await peer.ask("stats")
            assert max(link.under_way for link in server.links) <= MAX_UNDER_WAY + 2 * MAX_VALUE
        finally:
            blocker.rollback()
            blocker.close()
        answers = [await frames.read(reader) for _ in range(41)]
        assert sorted(answer["re"] for answer in answers if answer is not None and "ok" in answer) == list(range(1, 42))
        writer.close()


async def test_a_peer_that_does_not_read_its_answers_is_not_served_on(tmp_path: Path) -> None:
    async with running(tmp_path) as server, owner(tmp_path / "vault.sock", "a") as peer:
        await peer.ask("commit", set={"big": bytes(MAX_VALUE - 100)})
        load = {"cmd": "load", "session": "a", "generation": peer.generation, "after": None}
        _, writer = await asyncio.open_unix_connection(str(tmp_path / "vault.sock"), limit=1)
        before = server.stats()["answered"]
        writer.write(HELLO + b"".join(frames.encode({"id": n, **load}) for n in range(2, 202)))
        await until(lambda: server.stats()["answered"] >= before + 2)
        assert await peer.ask("commit", set={"other": b"v"}) == {}
        assert server.stats()["answered"] < before + 2 + 2 * MAX_UNDER_WAY // PAGE
        writer.transport.abort()


async def test_links_that_come_and_go_leave_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        links = await asyncio.gather(*(greeted(tmp_path / "vault.sock") for _ in range(100)))
        assert server.stats()["links"] == 100
        for number, each in enumerate(links):
            if number % 2:
                each.abort()
            else:
                await each.close()
        await until(lambda: server.stats()["links"] == 0)
