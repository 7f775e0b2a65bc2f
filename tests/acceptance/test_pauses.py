"""A maintenance window: what closes under a pause waits, over kill -9 of main too, and goes on when it is over."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

PAUSES = "/api/recovery/pauses"
CONFIG = {
    "supervision": {"heartbeat": "500ms", "tick": "100ms"},
    "recovery": {"backoff": {"min": "100ms", "max": "1s"}},
    "sessions": [
        {"id": id, "connector": "simulator", "labels": {"team": team}, "simulator": {"paired": True}}
        for id, team in (("a-1", "a"), ("a-2", "a"), ("b-1", "b"))
    ],
}


async def pause(daemon: Daemon, **body: Any) -> int:
    status, made = await daemon.call("POST", PAUSES, json=body)
    assert status == 201, made
    return int(made["id"])


async def waits(daemon: Daemon, session: str) -> bool:
    found = await daemon.status(session)
    paused = found["statusMetadata"]["recoveryPaused"]
    return bool(found["state"] == "waiting" and paused and paused["waits"])


async def are(daemon: Daemon, held: set[str]) -> bool:
    """Exactly these wait for the end of a pause, and the others are connected."""
    for session in ("a-1", "a-2", "b-1"):
        if session in held:
            if not await waits(daemon, session):
                return False
        elif (await daemon.status(session))["status"] != "connected":
            return False
    return True


async def held(daemon: Daemon, session: str) -> bool:
    found = (await daemon.get(f"/api/recovery/episodes?session={session}&open=true"))["episodes"]
    return bool(found) and bool(found[0]["held"])


async def test_a_maintenance_window(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, CONFIG) as daemon:
        await until("all are connected", lambda: are(daemon, set()), 30)
        before = await daemon.marks("a-1", "a-2", "b-1")
        team = await pause(daemon, labels={"team": "a"}, reason="new proxy")
        os.kill((await daemon.node("shard-0/connector"))["pid"], signal.SIGKILL)
        await until("those of the label wait, the other is back", lambda: are(daemon, {"a-1", "a-2"}), 60)
        after = await daemon.marks("a-1", "a-2", "b-1")
        assert {id: mark[0] for id, mark in after.items()} == {id: mark[0] for id, mark in before.items()}

        await until("the ledger knows that a pause holds it up", lambda: held(daemon, "a-1"), 30)
        assert "wavigil_recovery_paused_sessions 2.0" in await daemon.get("/metrics")
        explained = await daemon.get("/api/recovery/a-1/explain")
        assert (explained["rule"], explained["paused"], explained["action"]) == ("paused", True, None)

        # without recovery too, and a session's own actor as it starts
        await daemon.kill("recovery")
        await daemon.kill("a-1")
        await until("the new actor of a-1 waits", lambda: are(daemon, {"a-1", "a-2"}), 60)

        # one that ends by itself, over one that does not
        await pause(daemon, sessionId="b-1", **{"for": "3s"})
        status, answer = await daemon.call("POST", "/api/whatsapp-status/a-2/reconnect")
        assert status == 202, answer
        await until("what an operator orders is done", lambda: are(daemon, {"a-1"}), 60)

        assert daemon.process is not None
        daemon.processes()
        daemon.process.kill()
        await daemon.process.wait()
        await daemon.start()
        await until("they wait after kill -9 of main", lambda: are(daemon, {"a-1", "a-2"}), 60)
        assert [found["id"] for found in (await daemon.get(PAUSES))["pauses"]] == [team]

        status, answer = await daemon.call("DELETE", f"{PAUSES}/{team}")
        assert status == 204, answer
        await until("all are connected again", lambda: are(daemon, set()), 30)
        entries = (await daemon.get("/api/audit?action=recovery"))["entries"]
        assert [entry["action"] for entry in entries] == ["recovery.resume", "recovery.pause", "recovery.pause"]
        assert {entry["outcome"] for entry in entries} == {"done"}
