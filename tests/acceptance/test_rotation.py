"""A rotation of the master key as an operator does it, with the vault killed on the way."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from actors.settings import master_keys
from actors.vault.keyring import MasterKeys
from config.schema import Config
from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.integration.test_vault_rotation import is_unfinished, opened_by
from tests.integration.vaults import owner, running

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

OLD, NEW = "the old master key, long enough to be one", "the new master key, long enough to be one"
SESSIONS = [f"s{number}" for number in range(60)]
STATE = {f"session/{number}": b"x" * 500 for number in range(100)}


def key(text: str) -> bytes:
    found = master_keys(Config.model_validate({"vault": {"master_key": text}}).vault)
    assert found != MasterKeys()
    assert found.master is not None
    return found.master


async def fill(folder: Path) -> None:
    async with running(folder, key(OLD)):
        for name in SESSIONS:
            async with owner(folder / "vault.sock", name) as peer:
                await peer.ask("commit", set=STATE)


async def said(daemon: Daemon, *words: str) -> tuple[int | None, str]:
    where = ["--url", daemon.url, "--token-file", str(daemon.state_dir / "admin.token")]
    process = await daemon.run(*words[:2], *where, *words[2:])
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_an_operator_rotates_the_master_key(short_tmp: Path) -> None:
    config = {"sessions": [{"id": "alpha", "connector": "simulator"}], "vault": {"master_key": OLD}}
    state = short_tmp / "var"
    state.mkdir(mode=0o700)
    await fill(state)
    async with running_daemon(short_tmp, config) as daemon:
        await daemon.until_status("alpha", "connected")
        marks = await daemon.marks("alpha")
        status, output = await said(daemon, "vault", "rotate")
        assert (status, "nothing to rotate" in output) == (1, True), output

        # without the old key nothing is done
        daemon.config["vault"] = {"master_key": NEW}
        daemon.write_config()
        status, output = await said(daemon, "vault", "rotate")
        assert status == 2, output
        assert "put the old one into vault.previous_keys" in output

        # with it: killed on the way, and started by a supervisor that knows the old key alone
        daemon.config["vault"] = {"master_key": NEW, "previous_keys": [OLD]}
        daemon.write_config()
        following = asyncio.create_task(said(daemon, "vault", "rotate"))
        await until("it has begun", lambda: 0 < len(opened_by(state, key(NEW))) < len(SESSIONS))
        os.kill((await daemon.node("vault"))["pid"], signal.SIGKILL)
        assert is_unfinished(state)
        status, output = await following
        assert (status, "done: every session is sealed" in output) == (0, True), output
        assert set(SESSIONS) <= opened_by(state, key(NEW))
        assert opened_by(state, key(OLD)) == set()
        assert await daemon.marks("alpha") == marks, "no connection was closed for it"
        assert (await said(daemon, "vault", "status"))[1].startswith("every session is sealed")

        # the old key is taken out; a vault that dies then learns of the new one all the same
        daemon.config["vault"] = {"master_key": NEW}
        assert (await daemon.reload())["settings"] == ["vault.previous_keys"]
        os.kill((await daemon.node("vault"))["pid"], signal.SIGKILL)
        await daemon.call("POST", "/api/whatsapp-status/alpha/reconnect")

        async def reconnected() -> bool:
            return bool(
                await daemon.marks("alpha") != marks and (await daemon.status("alpha"))["status"] == "connected"
            )

        await until("alpha logged in with the new key", reconnected)

        async def audited() -> list[str]:
            return [entry["outcome"] for entry in (await daemon.get("/api/audit?action=key"))["entries"]]

        await until("it is in the audit log", audited, every=0.1)
        assert await audited() == ["done"]
        for text in (OLD, NEW, key(OLD).hex(), key(NEW).hex()):
            assert text not in daemon.log

        # the old key is refused at the next start
        await daemon.stop()
        daemon.config["vault"] = {"master_key": OLD}
        await daemon.spawn()
        assert daemon.process is not None
        async with asyncio.timeout(20):
            assert await daemon.process.wait() == 1
        assert "is sealed with another master key" in daemon.log
