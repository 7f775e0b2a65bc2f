"""Gives sessions of a daemon that does not run yet the auth state of a finished pairing: saves a test the pairings."""

import asyncio
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from actors.connectors.vaultlink import SessionVault, VaultLink
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from actors.vault.keyring import MasterKeys
from actors.vault.server import VaultServer
from tests.labclient import Json, Lab


async def provision(state_dir: Path, auth: Mapping[str, Json]) -> None:
    """Puts credentials (as `Lab.creds` gives them) into the vault of a state directory, by session id."""
    await asyncio.to_thread(state_dir.mkdir, mode=0o700, exist_ok=True)
    upgrade(state_dir / "vault.db", Kind.VAULT)
    with tempfile.TemporaryDirectory(prefix="wv") as name:
        socket = Path(name) / "vault.sock"
        vault = VaultServer(state_dir / "vault.db", socket, MasterKeys())
        await vault.start()
        link = VaultLink(str(socket))
        try:
            for session, creds in auth.items():
                handle = SessionVault(link, session)
                await handle.claim(await link.reserve(session))
                await handle.commit({"creds": json.dumps(creds).encode()}, paired=True)
        finally:
            await link.close()
            await vault.stop()


async def linked(lab: Lab, phones: Mapping[str, str]) -> dict[str, Json]:
    """Credentials of a linked device of each phone number, by session id."""
    return {session: await lab.creds(phone) for session, phone in phones.items()}
