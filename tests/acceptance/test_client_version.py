"""WhatsApp refuses the client's version (405): a new one in the configuration, and a reload, and all connect again."""

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
