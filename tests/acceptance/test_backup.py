"""A backup of a running daemon, put back on another host: no session starts with old keys unless that is accepted."""

from pathlib import Path
from typing import Any

import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.fixtures_fleet import configuration
from tests.labclient import Lab
from tests.provision import linked, provision

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

PHONES = {"alpha": "15550108001", "beta": "15550108002"}


async def wavigil(daemon: Daemon, *words: str) -> tuple[int | None, str]:
    """A command as the operator gives it on the daemon's machine."""
    process = await daemon.run(*words)
    output, _ = await process.communicate()
    return process.returncode, output.decode()


def reach(daemon: Daemon) -> list[str]:
    return ["--url", daemon.url, "--token-file", str(daemon.state_dir / "admin.token")]


async def test_a_backup_moves_to_another_host(short_tmp: Path) -> None:
    here, there = short_tmp / "here", short_tmp / "there"
    backup = short_tmp / "backup"
    for folder in (here, there):
        folder.mkdir()
    async with Lab(defaults={"preKeyCount": 100}) as lab:
        sessions = [{"id": id, "connector": "baileys"} for id in PHONES]
        config: dict[str, Any] = configuration(lab) | {"sessions": sessions}
        await provision(here / "var", await linked(lab, PHONES))
        async with running_daemon(here, config) as daemon:
            for id in PHONES:
                await daemon.until_status(id, "connected")
            where = ["--config", str(daemon.config_file)]
            status, output = await wavigil(daemon, "backup", str(backup), *where, *reach(daemon))
            assert status == 0, output
            assert "databases" in output
            status, output = await wavigil(daemon, "backup", str(backup), *where, *reach(daemon))
            assert (status, "is there already" in output) == (2, True), output
            status, output = await wavigil(daemon, "restore", str(backup), *where)
            assert (status, "another wavigil" in output) == (1, True), output
            entries = (await daemon.get("/api/audit?action=backup"))["entries"]
            assert [(entry["action"], entry["outcome"]) for entry in reversed(entries)] == [
                ("backup.make", "done"),
                ("backup.make", "invalid"),
            ]
        await elsewhere(lab, Daemon(there, config), backup)


async def elsewhere(lab: Lab, daemon: Daemon, backup: Path) -> None:
    daemon.config = {**daemon.config, "http": {"listen": "127.0.0.1:0"}}
    daemon.write_config()
    logins = len(await lab.journal("login"))
    status, output = await wavigil(daemon, "restore", str(backup), "--config", str(daemon.config_file))
    assert status == 0, output
    assert "as old as the backup: alpha, beta" in output
    try:
        await daemon.start()
        for id in PHONES:
            assert (await daemon.until_status(id, "stopped"))["status"] == "stopped"
        status, output = await wavigil(daemon, "sessions", "start", "alpha", *reach(daemon))
        assert (status, "came out of a backup" in output) == (1, True), output
        assert "wavigil sessions start alpha --accept-stale-keys" in output

        # nor by a stop, a reload that changes its line, or a restart
        await wavigil(daemon, "sessions", "stop", "beta", *reach(daemon))
        daemon.config["sessions"][1] = {**daemon.config["sessions"][1], "enabled": False}
        await daemon.reload()
        daemon.config["sessions"][1] = {**daemon.config["sessions"][1], "enabled": True}
        await daemon.reload()
        assert (await daemon.stop())[0] == 0
        await daemon.start()
        status, _ = await wavigil(daemon, "sessions", "start", "beta", *reach(daemon))
        assert status == 1
        assert len(await lab.journal("login")) == logins

        # one, while it runs
        status, output = await wavigil(daemon, "sessions", "start", "alpha", "--accept-stale-keys", *reach(daemon))
        assert status == 0, output
        await daemon.until_status("alpha", "connected")
        assert (await daemon.status("beta"))["status"] == "stopped"

        # all, before it is started; alpha has newer keys by now, which stay
        await daemon.stop()
        status, output = await wavigil(
            daemon, "restore", str(backup), "--accept-stale-keys", "--config", str(daemon.config_file)
        )
        assert "stay stopped" not in output, output
        await daemon.start()
        for id in PHONES:
            await daemon.until_status(id, "connected")

        async def again() -> bool:
            return len(await lab.journal("login")) >= logins + 3

        await until("alpha twice and beta once", again)
    finally:
        await daemon.destroy()
