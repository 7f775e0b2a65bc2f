"""While recovery does not answer, sessions plan for themselves: as configured, also after a reload."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

SCRIPT = [{"fault": "drop", "after": "2s", "repeat": "2s"}]
CONFIG: dict[str, Any] = {
    "supervision": {"heartbeat": "200ms", "heartbeat_timeout": "60s", "tick": "100ms"},
    "recovery": {"backoff": {"min": "1h", "max": "1h"}},
    "sessions": [{"id": "s-1", "connector": "simulator", "simulator": {"paired": True, "script": SCRIPT}}],
}


def transitions(daemon: Daemon) -> list[tuple[int, dict[str, Any]]]:
    query = "SELECT seq, data FROM outbox WHERE type = 'session.state' ORDER BY seq"
    with closing(sqlite3.connect(f"file:{daemon.state_dir}/shard-0.db?mode=ro", uri=True)) as conn:
        return [(seq, json.loads(data)) for seq, data in conn.execute(query)]


async def opened_by_order(daemon: Daemon) -> int:
    """The session is connected by an operator's order; returns the number of that transition."""
    before = transitions(daemon)[-1][0]
    status, answer = await daemon.call("POST", "/api/whatsapp-status/s-1/reconnect")
    assert status == 202, answer

    def opened() -> int | None:
        return next((seq for seq, data in transitions(daemon) if seq > before and data["state"] == "open"), None)

    return int(await until("it is open", opened))


async def test_a_session_backs_off_as_configured_without_recovery(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, CONFIG) as daemon:
        await until("it has been open", lambda: any(data["state"] == "open" for _, data in transitions(daemon)))
        frozen = await daemon.kill("recovery", signal.SIGSTOP)
        seen = await opened_by_order(daemon)

        def attempts() -> list[dict[str, Any]]:
            return [data for seq, data in transitions(daemon) if seq > seen and data["state"] == "connecting"]

        async def planned() -> bool:
            found = await daemon.status("s-1")
            return bool(found["state"] == "waiting" and found["statusMetadata"]["nextAttemptAt"])

        await until("it has planned for itself", planned)
        # evenly from 0 to an hour; by default it would be a second at most, which is over before it is told of
        assert attempts() == []

        os.kill(frozen, signal.SIGCONT)
        daemon.config["recovery"] = {"backoff": {"min": "10ms", "max": "10ms"}}
        assert set((await daemon.reload())["settings"]) == {"recovery.backoff.min", "recovery.backoff.max"}

        async def restarted() -> bool:
            return bool((await daemon.node("recovery"))["pid"] != frozen)

        pid = (await daemon.node("s-1"))["pid"]
        await until("recovery has its new settings", restarted)
        await daemon.kill("recovery", signal.SIGSTOP)
        seen = await opened_by_order(daemon)

        await until("it tries again by itself", lambda: any(data["plannedBy"] == "session" for data in attempts()))
        assert (await daemon.node("s-1"))["pid"] == pid, "the session lived on"
