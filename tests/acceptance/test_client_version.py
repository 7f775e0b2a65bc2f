"""What all sessions share: a client that WhatsApp calls outdated (405), and a server that lets nobody in (503)."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.fixtures_daemon import Daemon, until
from tests.fixtures_fleet import PHONES, paired_fleet
from tests.labclient import Lab

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

LEAST = "2.3000.4000000000"
NEWER = [2, 3000, 4000000001]


async def attempts(lab: Lab) -> int:
    return len(await lab.journal("login", "login_failure"))


async def outdated(daemon: Daemon, id: str) -> None:
    async def halted() -> bool:
        cause = (await daemon.status(id))["statusMetadata"]["cause"]
        return bool(cause and cause["name"] == "client_outdated")

    await until(f"{id} is told that its client is outdated", halted)


async def test_a_new_version_needs_no_release(short_tmp: Path) -> None:
    async with paired_fleet(short_tmp) as (lab, daemon):
        await lab.defaults(leastVersion=LEAST)
        await lab.fault("reset")
        for id in PHONES:
            await outdated(daemon, id)
        tried = await attempts(lab)

        # a reload of anything else tries nothing
        daemon.config["connectors"]["baileys"]["open_deadline"] = "40s"
        await daemon.reload()
        # a stopped session stays stopped
        await daemon.call("POST", "/api/sessions/gamma/stop")
        await daemon.until_status("gamma", "stopped")
        assert await attempts(lab) == tried

        daemon.config["connectors"]["baileys"]["client_version"] = NEWER
        await daemon.reload()
        for id in ("alpha", "beta"):
            await daemon.until_status(id, "connected")
        versions = [entry.data["version"] for entry in (await lab.journal("login"))[-2:]]
        assert versions == [".".join(map(str, NEWER))] * 2
        assert await attempts(lab) == tried + 2
        assert (await daemon.status("gamma"))["status"] == "stopped"
        await nobody_gets_through(lab, daemon)


async def nobody_gets_through(lab: Lab, daemon: Daemon) -> None:
    """All are refused: one tries for all, seldom, and when it is let in the others are back."""

    async def outage(wanted: float) -> bool:
        return await metric(daemon, "wavigil_admission_outage") == wanted

    await daemon.call("POST", "/api/sessions/gamma/start")
    await daemon.until_status("gamma", "connected")  # what WhatsApp thought of the old version is no matter now
    await lab.connect_rules({"kind": "http", "status": 503})
    await lab.fault("reset")
    await until("the outage is noticed", lambda: outage(1), 40)
    await until("recovery tells of it", lambda: "http_unavailable" in told(daemon), 20)
    await lab.connect_rules()
    for id in PHONES:
        await daemon.until_status(id, "connected")
    await until("it is over", lambda: outage(0), 40)


async def metric(daemon: Daemon, name: str) -> float | None:
    """The value of a family with one series."""
    text = await daemon.get("/metrics")
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + "{")), None)


def told(daemon: Daemon) -> str:
    """The outages that recovery told of."""
    query = "SELECT data FROM outbox WHERE type = 'recovery.outage'"
    with contextlib.closing(sqlite3.connect(daemon.state_dir / "recovery.db")) as conn:
        return str(conn.execute(query).fetchall())
