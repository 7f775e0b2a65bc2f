"""Collections of the app state larger than a commit could carry: by the bridge's key store, through a real vault."""

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from actors.connectors.node import NodeNotFound, find_node
from actors.vault.client import reserve
from actors.vault.keyring import MasterKeys
from actors.vault.server import VaultServer
from daemon.authstates import LiveAuthStates
from daemon.backend import SessionLive, SessionRecord
from tests.integration.vaults import MASTER_KEY, running, until

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).with_name("keystore.mjs")
NEW_KEY = bytes(reversed(MASTER_KEY))
KEY = "app-state-sync-version/regular"


async def keystore(folder: Path, session: str, size: int | None = None) -> Any:
    """What a fresh bridge has of the collection, after it has set one of so many entries."""
    try:
        node = (await asyncio.to_thread(find_node)).path
    except NodeNotFound as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(error))
        pytest.skip(f"THE BRIDGE IS NOT TESTED: {error}")
    generation = (await reserve(str(folder / "vault.sock"), session, 5.0)).generation
    words = [str(folder / "vault.sock"), session, str(generation), *([] if size is None else [str(size)])]
    process = await asyncio.create_subprocess_exec(node, str(SCRIPT), *words, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)


def auth_states(folder: Path) -> LiveAuthStates:
    """Of sessions that are stopped."""

    async def tell(*_: Any) -> None:
        pass

    record, live = SessionRecord("a", "baileys", enabled=False), SessionLive(state="stopped")
    return LiveAuthStates(str(folder / "vault.sock"), lambda _: record, lambda _: live, tell)


async def test_it_is_read_after_restarts_moves_and_rotations(tmp_path: Path) -> None:
    async with running(tmp_path):
        put = await keystore(tmp_path, "a", 25_000)
        assert put["failures"] == []
        assert put["bytes"] > 3_000_000
    async with running(tmp_path):
        assert await keystore(tmp_path, "a") == put
        exported = await auth_states(tmp_path).export("a")
        assert hashlib.sha256(exported[KEY]).hexdigest() == put["text"], "as Baileys would have written it"
        await auth_states(tmp_path).replace("b", exported)
        assert await keystore(tmp_path, "b") == put
    server = VaultServer(tmp_path / "vault.db", tmp_path / "vault.sock", MasterKeys(NEW_KEY, (MASTER_KEY,)))
    await server.start()
    try:
        await until(lambda: server.stats()["rotation"] is None)
        assert await keystore(tmp_path, "a") == put
    finally:
        await server.stop()


async def test_one_that_the_vault_can_not_take_ends_no_connection(tmp_path: Path) -> None:
    async with running(tmp_path):
        before = await keystore(tmp_path, "a", 100)
        used = await keystore(tmp_path, "a", 60_000)
        assert used["failures"] == []
        assert used["bytes"] > 7_000_000
        assert await keystore(tmp_path, "a") == before, "it is synchronized from here again"
