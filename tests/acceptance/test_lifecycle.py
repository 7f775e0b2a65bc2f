"""Sessions come and go over the API, are stopped and started, logged out, and paired again after interruptions."""

import os
import signal
import sqlite3
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.fixtures_fleet import PHONES, configuration
from tests.labclient import Lab

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

DONE = {200, 201, 202, 204}
SIMULATED: dict[str, Any] = {
    "sessions": [{"id": "file-0", "connector": "simulator"}],
    "supervision": {"heartbeat": "200ms", "heartbeat_timeout": "2s", "tick": "100ms"},
    "connectors": {"simulator": {"profile": {"paired": True}}},
}


async def act(daemon: Daemon, method: str, path: str, **body: Any) -> Any:
    status, found = await daemon.call(method, path, **({"json": body} if body else {}))
    assert status in DONE, (path, status, found)
    return found


async def refused(daemon: Daemon, method: str, path: str, **body: Any) -> tuple[int, str]:
    status, problem = await daemon.call(method, path, **({"json": body} if body else {}))
    return status, problem["type"].removeprefix("/problems/")


async def send(daemon: Daemon, session: str, id: str) -> dict[str, Any]:
    body = {"id": id, "to": "15550100009", "text": f"text of {id}", "wait": "20s"}
    found = await act(daemon, "POST", f"/api/sessions/{session}/messages", **body)
    assert found["state"] in {"acknowledged", "delivered", "read"}, found
    return dict(found)


def stored(daemon: Daemon, database: str, query: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(f"file:{daemon.state_dir}/{database}.db?mode=ro", uri=True)) as conn:
        return list(conn.execute(query, values))


async def gone_from_tree(daemon: Daemon, id: str) -> None:
    async def gone() -> bool:
        return f"'id': '{id}'" not in str(await daemon.tree())

    await until(f"{id} left the tree", gone)


async def test_a_session_is_added_removed_purged_and_made_again(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, SIMULATED) as daemon:
        await daemon.until_status("file-0", "connected")
        await act(daemon, "POST", "/api/sessions", id="made-0", connector="simulator")
        assert await refused(daemon, "POST", "/api/sessions", id="made-0", connector="simulator") == (409, "conflict")
        before = await daemon.until_status("made-0", "connected")
        first = await send(daemon, "made-0", "order-1")

        # without purge the auth state stays; what was sent under an id is of the session that is gone
        await act(daemon, "DELETE", "/api/sessions/made-0")
        assert await refused(daemon, "GET", "/api/whatsapp-status/made-0") == (404, "unknown_session")
        await gone_from_tree(daemon, "made-0")

        def forgotten() -> bool:
            return not stored(daemon, "shard-0", "SELECT 1 FROM session_state WHERE session = 'made-0'")

        await until("the host forgot it", forgotten)
        assert stored(daemon, "vault", "SELECT paired FROM sessions WHERE session = 'made-0'") == [(1,)]
        await act(daemon, "POST", "/api/sessions", id="made-0", connector="simulator")
        again = await daemon.until_status("made-0", "connected")
        assert again["statusMetadata"]["generation"] > before["statusMetadata"]["generation"]
        second = await send(daemon, "made-0", "order-1")
        assert second["messageId"] != first["messageId"]

        # with purge nothing of it is left
        await act(daemon, "DELETE", "/api/sessions/made-0?purge=true")
        await gone_from_tree(daemon, "made-0")
        assert stored(daemon, "vault", "SELECT 1 FROM entries WHERE session = 'made-0'") == []
        assert stored(daemon, "api", "SELECT 1 FROM sends WHERE session = 'made-0'") == []
        actions = [
            row[0]
            for row in stored(daemon, "api", "SELECT action FROM audit WHERE target = 'made-0' AND outcome = 'done'")
        ]
        assert actions == ["session.add", "session.remove", "session.add", "session.remove"]
        await daemon.until_status("file-0", "connected")


async def test_removed_while_the_actors_are_down(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, SIMULATED) as daemon:
        await act(daemon, "POST", "/api/sessions", id="made-0", connector="simulator")
        await daemon.until_status("made-0", "connected")
        await daemon.kill("gateway", signal.SIGSTOP)  # until its supervisor ends it
        await act(daemon, "POST", "/api/sessions/file-0/stop")  # nobody hears of it now
        await act(daemon, "DELETE", "/api/sessions/made-0")
        await daemon.until_status("file-0", "stopped")
        await gone_from_tree(daemon, "made-0")


async def test_stop_and_start_hold_over_restarts(short_tmp: Path) -> None:
    first = int(time.time())
    async with running_daemon(short_tmp, SIMULATED) as daemon:
        await daemon.until_status("file-0", "connected")
        for _ in range(2):
            await act(daemon, "POST", "/api/sessions/file-0/stop")
        stopped = await daemon.until_status("file-0", "stopped")
        assert stopped["reconnectAttempts"] == 0
        assert await refused(daemon, "GET", "/api/sessions/file-0/pairing?wait=1s") == (409, "refused")
        assert await refused(daemon, "POST", "/api/sessions/file-0/logout") == (409, "not_open")
        assert (await daemon.stop())[0] == 0
        await daemon.start()
        await daemon.until_status("file-0", "stopped")
        for _ in range(2):
            await act(daemon, "POST", "/api/sessions/file-0/start")
        await daemon.until_status("file-0", "connected")
        assert await refused(daemon, "GET", "/api/sessions/file-0/pairing?wait=1s") == (409, "conflict")
        assert (await daemon.stop())[0] == 0
        began = time.time()
        await daemon.start()
        status = await daemon.until_status("file-0", "connected")
        since = datetime.fromisoformat(status["statusMetadata"]["since"]).timestamp()
        assert since > began, "a connection of before the restart is not shown as one"
        past = await act(daemon, "GET", f"/api/sessions/file-0/history?from={first}&step=raw")
        assert past["points"], "an orderly stop writes down what was observed"


async def qr(daemon: Daemon) -> str:
    return str((await act(daemon, "GET", "/api/sessions/alpha/pairing"))["qr"])


async def test_an_interrupted_pairing_returns_to_the_qr(short_tmp: Path) -> None:
    async with Lab(defaults={"preKeyCount": 100}) as lab:
        config = configuration(lab)
        config["sessions"] = config["sessions"][:1]
        async with running_daemon(short_tmp, config) as daemon:
            await daemon.until_status("alpha", "pairing")
            first = await qr(daemon)

            # the session's actor dies: the connection, and so the QR, stay
            pid = await daemon.kill("alpha")

            async def replaced() -> bool:
                return bool((await daemon.node("alpha"))["pid"] != pid)

            await until("another actor", replaced)
            assert await qr(daemon) == first

            # the connector dies: the QR is worthless, the next one comes on demand
            process = (await daemon.node("shard-0/connector"))["pid"]
            os.kill(process, signal.SIGKILL)

            async def told() -> bool:
                status = await daemon.status("alpha")
                cause = status["statusMetadata"]["cause"]
                return bool(status["status"] == "pairing" and cause and cause["name"] == "connector_lost")

            await until("the interruption is told", told, 30)

            async def another_connector() -> bool:
                return bool((await daemon.node("shard-0/connector"))["pid"] != process)

            await until("another connector", another_connector, 30)
            await lab.scan(await qr(daemon), PHONES["alpha"])
            await daemon.until_status("alpha", "connected")

            # logged out: the device is gone at the server, and another pairing works
            await act(daemon, "POST", "/api/sessions/alpha/logout")
            await daemon.until_status("alpha", "pairing")
            await lab.scan(await qr(daemon), PHONES["alpha"])
            await daemon.until_status("alpha", "connected")
            assert len(await lab.journal("paired")) == 2


async def test_a_wrong_master_key_is_told_at_the_start(short_tmp: Path) -> None:
    config = {**SIMULATED, "vault": {"master_key": "a" * 64}}
    async with running_daemon(short_tmp, config) as daemon:
        await daemon.until_status("file-0", "connected")
        assert (await daemon.stop())[0] == 0
        daemon.config["vault"] = {"master_key": "b" * 64}
        with pytest.raises(pytest.fail.Exception, match="sealed with another master key"):
            await daemon.start()
        assert daemon.process is not None
        assert await daemon.process.wait() == 1
        assert "Traceback" not in daemon.log
        assert "b" * 64 not in daemon.log
        daemon.config["vault"] = {"master_key": "a" * 64}
        await daemon.start()
        await daemon.until_status("file-0", "connected")
