"""Who did what, and what healed by itself, over the end of every process, main's included."""

import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

CONFIG: dict[str, Any] = {
    "http": {"tokens": [{"name": "grafana", "role": "viewer", "token": "a-token-of-a-viewer"}]},
    "sessions": [{"id": "alpha", "connector": "simulator"}],
    "supervision": {"heartbeat": "200ms", "heartbeat_timeout": "30s", "tick": "100ms"},
    "recovery": {"backoff": {"min": "100ms", "max": "1s"}},
    "connectors": {"simulator": {"profile": {"paired": True}}},
}


async def counts(daemon: Daemon) -> dict[tuple[str, str], int]:
    pattern = r'^wavigil_interventions_total\{origin="(\w+)",action="(\w+)"\} (\d+)$'
    found = re.findall(pattern, await daemon.get("/metrics"), re.MULTILINE)
    return {(origin, action): int(count) for origin, action, count in found}


async def until_counted(daemon: Daemon, origin: str, action: str, count: int) -> None:
    async def counted() -> bool:
        return (await counts(daemon))[origin, action] >= count

    await until(f"{count} {origin} {action}", counted, 60, every=0.2)


async def killed(daemon: Daemon, id: str) -> None:
    owner = (await daemon.status("alpha"))["statusMetadata"]["generation"]
    pid = await daemon.kill(id)

    async def replaced() -> bool:
        return bool((await daemon.node(id))["pid"] != pid)

    async def open_again() -> bool:
        status = await daemon.status("alpha")  # what was shown before the kill stays until there is a new owner
        return bool(status["status"] == "connected" and status["statusMetadata"]["generation"] > owner)

    await until(f"another {id}", replaced, 60)
    await until("alpha is open again", open_again, 60)


async def test_entries_and_counts(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, CONFIG) as daemon:
        await daemon.until_status("alpha", "connected")
        assert set((await counts(daemon)).values()) == {0}
        assert (await daemon.call("POST", "/api/whatsapp-status/alpha/reconnect"))[0] == 202
        viewer = {"Authorization": "Bearer a-token-of-a-viewer"}
        async with aiohttp.ClientSession(daemon.url, headers=viewer) as http:
            assert (await http.post("/api/sessions/alpha/stop")).status == 403
        await daemon.until_status("alpha", "connected")

        # what the supervisors did is known also when they are gone
        for id in ("alpha", "shard-0", "shard-0/connector"):
            await killed(daemon, id)
        for action in ("restart_session", "restart_supervisor", "restart_connector_host", "reconnect"):
            await until_counted(daemon, "automatic", action, 1)
        before = await counts(daemon)
        assert before["automatic", "restart_session"] == 1
        assert before["manual", "reconnect"] == 1
        page = await daemon.get("/metrics")
        assert 'wavigil_supervision_restarts_total{kind="session"} 1\n' in page
        assert re.search(r"^wavigil_session_state_shown_seconds_count [1-9]", page, re.MULTILINE)

        assert (await daemon.stop())[0] == 0
        await daemon.start()
        after = await counts(daemon)
        assert all(after[key] >= count for key, count in before.items())
        assert after["manual", "restart_daemon"] == 1
        assert daemon.process is not None
        daemon.process.kill()
        await daemon.process.wait()
        await daemon.start()
        last = await counts(daemon)
        assert last["automatic", "restart_daemon"] == 1
        assert all(last[key] >= count for key, count in after.items())
        summed = await daemon.get("/api/interventions?window=24h")
        assert summed["manual"] == {"reconnect": 1, "restart_daemon": 1}
        assert summed["automaticTotal"] == sum(n for (origin, _), n in last.items() if origin == "automatic")

        shown = await daemon.command("audit", "--json")
        output, _ = await shown.communicate()
        entries = json.loads(output)
        assert [(e["who"], e["action"], e["target"], e["outcome"]) for e in entries] == [
            ("wavigil", "daemon.start", "-", "done"),
            ("admin", "session.reconnect", "alpha", "done"),
            ("grafana", "session.stop", "alpha", "forbidden"),
            ("wavigil", "daemon.stop", "-", "done"),
            ("wavigil", "daemon.start", "-", "done"),
            ("wavigil", "daemon.start", "-", "done"),
        ]
        assert entries[3]["detail"]["why"] == "SIGTERM"
        shown = await daemon.command("audit", "--who", "grafana", "--since", "1h")
        output, _ = await shown.communicate()
        assert re.search(r"grafana\s+viewer\s+127\.0\.0\.1\s+session\.stop\s+alpha\s+forbidden", output.decode())
