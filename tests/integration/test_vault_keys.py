"""The vault's keys: what is stored can't be read without them, and a wrong one is a clear error."""

import sqlite3
from pathlib import Path

import pytest

from actors.runtime.rpc import RemoteError
from actors.vault.errors import MasterKeyError
from actors.vault.keyring import MasterKeys
from actors.vault.server import VaultServer
from tests.integration.vaults import MASTER_KEY, owner, running

pytestmark = pytest.mark.integration


async def test_another_master_key_is_refused_with_the_remedy(tmp_path: Path) -> None:
    async with running(tmp_path), owner(tmp_path / "vault.sock", "a") as peer:
        await peer.ask("commit", set={"k": b"v"})
    before = (tmp_path / "vault.db").read_bytes()
    for key, remedy in ((bytes(32), "configure that key again"), (None, "configure the key it was sealed with")):
        with pytest.raises(MasterKeyError, match=remedy):
            await VaultServer(tmp_path / "vault.db", tmp_path / "vault.sock", MasterKeys(key)).start()
    with pytest.raises(MasterKeyError, match="must have 32 bytes, not 5"):
        await VaultServer(tmp_path / "vault.db", tmp_path / "vault.sock", MasterKeys(b"short")).start()
    assert (tmp_path / "vault.db").read_bytes() == before


async def test_a_new_key_seals_what_was_plain(tmp_path: Path) -> None:
    entries = {"session-4915112345678.0": b"very secret bytes", "creds": b"more of them"}
    async with running(tmp_path, None), owner(tmp_path / "vault.sock", "a") as peer:
        await peer.ask("commit", set=entries, paired=True)
    assert b"4915112345678" in (tmp_path / "vault.db").read_bytes()
    async with running(tmp_path, MASTER_KEY), owner(tmp_path / "vault.sock", "a") as peer:
        assert await peer.ask("claim") == {"paired": True}
        assert await peer.load() == entries
        await peer.ask("commit", set={"creds": b"even more of them"})
        stored = b"".join((tmp_path / name).read_bytes() for name in ("vault.db", "vault.db-wal"))
    stored += (tmp_path / "vault.db").read_bytes()
    for clear in (b"4915112345678", b"secret bytes", b"creds", b"more of them", MASTER_KEY):
        assert clear not in stored


async def test_a_changed_entry_is_noticed_and_a_reset_heals(tmp_path: Path) -> None:
    async with running(tmp_path), owner(tmp_path / "vault.sock", "a") as peer:
        await peer.ask("commit", set={"k": b"v", "l": b"w"})
        with sqlite3.connect(tmp_path / "vault.db") as conn:
            conn.execute("UPDATE entries SET value = (SELECT value FROM entries ORDER BY name LIMIT 1)")
        conn.close()
        with pytest.raises(RemoteError, match="restore a backup, or reset"):
            await peer.load()
        await peer.ask("reset")
        await peer.ask("commit", set={"k": b"v"})
        assert await peer.load() == {"k": b"v"}
