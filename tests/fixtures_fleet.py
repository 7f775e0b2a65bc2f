"""Three real Baileys sessions of one daemon, paired with the lab server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fixtures_daemon import Daemon, running_daemon
from tests.labclient import Lab

PHONES = {"alpha": "15550100001", "beta": "15550100002", "gamma": "15550100003"}


def configuration(lab: Lab) -> dict[str, Any]:
    """Of a daemon whose Baileys sessions reach the lab."""
    return {
        "sessions": [{"id": id, "connector": "baileys", "labels": {"team": "test"}} for id in PHONES],
        "supervision": {"heartbeat": "1s"},
        "connectors": {
            "baileys": {
                "websocket_url": lab.ws_url,
                "noise_root_key": lab.root_key,
                "heartbeat": "1s",
                "heartbeat_timeout": "900ms",
                "connects_per_second": 50,
            }
        },
    }


@asynccontextmanager
async def paired_fleet(
    directory: Path, *, config: dict[str, Any] | None = None, **policy: object
) -> AsyncIterator[tuple[Lab, Daemon]]:
    """The lab and the daemon; ``policy`` holds for everybody, ``config`` is added to the daemon's."""
    async with (
        Lab(defaults={"preKeyCount": 100, **policy}) as lab,
        running_daemon(directory, {**configuration(lab), **(config or {})}) as daemon,
    ):
        for id in PHONES:
            await pair(lab, daemon, id)
        yield lab, daemon


async def pair(lab: Lab, daemon: Daemon, id: str) -> None:
    """Alpha by QR, beta by a code, gamma by QR with the command line."""
    await daemon.until_status(id, "pairing")
    command = None
    if id == "gamma":
        command = await daemon.command("pair", id, "--timeout", "60")
        assert command.stdout is not None
        assert b"Linked devices" in await command.stdout.readline()
    if id == "beta":
        status, body = await daemon.call("POST", f"/api/sessions/{id}/pairing-code", json={"phone": PHONES[id]})
        assert status == 200, body
        await lab.enter_code(PHONES[id], body["code"].replace("-", ""))
    else:
        qr = await daemon.get(f"/api/sessions/{id}/pairing")
        await lab.scan(qr["qr"], PHONES[id])
    await daemon.until_status(id, "connected")
    if command is not None:
        output, _ = await command.communicate()
        assert command.returncode == 0, output.decode()
        assert "is paired" in output.decode()
