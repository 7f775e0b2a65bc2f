"""Three real Baileys sessions against the lab server: paired, sending, killed in every part, healed or stopped."""

import os
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.fixtures_fleet import PHONES, paired_fleet
from tests.labclient import Lab

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]


async def send(daemon: Daemon, sender: str, recipient: str, text: str) -> dict[str, Any]:
    status, body = await daemon.call(
        "POST", f"/api/sessions/{sender}/messages", json={"to": PHONES[recipient], "text": text, "wait": "20s"}
    )
    assert status == 200, body
    assert body["state"] in {"acknowledged", "delivered", "read"}
    return dict(body)


async def received(daemon: Daemon, id: str, at_least: int) -> None:
    async def enough() -> bool:
        status = await daemon.status(id)
        return int(status["statusMetadata"]["counts"].get("received", 0)) >= at_least

    await until(f"{id} received {at_least}", enough, 30)


async def all_connected(daemon: Daemon, patience: float = 30.0) -> None:
    for id in PHONES:
        await daemon.until_status(id, "connected", patience)


async def logins(lab: Lab, phone: str) -> int:
    return len([entry for entry in await lab.journal("login", "login_failure") if entry.data.get("account") == phone])


async def test_paired_sending_restarted_and_killed(short_tmp: Path) -> None:
    async with paired_fleet(short_tmp) as (lab, daemon):
        for sender, recipient in (("alpha", "beta"), ("beta", "gamma"), ("gamma", "alpha")):
            await send(daemon, sender, recipient, f"{sender} to {recipient}")
        for id in PHONES:
            await received(daemon, id, 1)

        # restarted: all open again without pairing
        status, seconds = await daemon.stop()
        assert (status, daemon.remaining()) == (0, [])
        assert seconds < 10
        paired = len(await lab.journal("paired"))
        await daemon.start()
        await all_connected(daemon)
        assert len(await lab.journal("paired")) == paired
        await send(daemon, "alpha", "beta", "after the restart")

        # reloaded: nobody logs in for it, and the next connection has the new settings
        marks, before_reload = await daemon.marks("alpha", "beta"), len(await lab.journal("login"))
        daemon.config["connectors"]["baileys"] |= {"client_version": [2, 3000, 1234567890], "connects_per_second": 40}
        beta = daemon.config["sessions"][1]
        daemon.config["sessions"][1] = {**beta, "labels": {"team": "another"}}
        assert (await daemon.reload())["restartNeeded"] == []
        await send(daemon, "beta", "alpha", "after the reload")
        assert await daemon.marks("alpha", "beta") == marks
        assert len(await lab.journal("login")) == before_reload
        await daemon.call("POST", "/api/whatsapp-status/alpha/reconnect")

        async def new_version() -> bool:
            last = (await lab.journal("login"))[-1].data
            return bool(last["account"] == PHONES["alpha"] and last["version"] == "2.3000.1234567890")

        await until("alpha says the new version", new_version)
        await daemon.until_status("alpha", "connected")

        # another connector moves it to a shard of its own, and back: its auth state is still there
        gamma = daemon.config["sessions"][2]
        daemon.config["sessions"][2] = {"id": "gamma", "connector": "simulator"}
        await daemon.reload()
        cause = "bad_session"  # what Baileys stored says nothing to the simulator, which leaves it alone

        async def moved() -> bool:
            found = (await daemon.status("gamma"))["statusMetadata"]["cause"]
            return bool(found and found["name"] == cause)

        await until("gamma is the simulator's", moved)
        daemon.config["sessions"][2] = gamma
        await daemon.reload()
        await all_connected(daemon)
        await send(daemon, "alpha", "gamma", "back again")

        # a session actor killed with -9: open again, median < 2 s
        healed = []
        for id in (*PHONES, *PHONES):
            before = await daemon.status(id)
            began = time.monotonic()
            pid = await daemon.kill(id)

            async def open_again(id: str = id, pid: int = pid, before: dict[str, Any] = before) -> bool:
                now = await daemon.status(id)
                fresh = now["statusMetadata"]["generation"] > before["statusMetadata"]["generation"]
                return bool(fresh and now["status"] == "connected")

            await until(f"{id} is open again", open_again)
            healed.append(time.monotonic() - began)
        assert statistics.median(healed) < 2, healed
        await send(daemon, "beta", "gamma", "after the kills")

        # the connector process killed: all open again
        process = await daemon.node("shard-0/connector")
        os.kill(process["pid"], signal.SIGKILL)

        async def another() -> bool:
            return bool((await daemon.node("shard-0/connector"))["pid"] != process["pid"])

        await until("another connector process", another, 30)
        await all_connected(daemon)
        await send(daemon, "gamma", "alpha", "after the connector")


async def test_a_verdict_outlives_kills_and_restarts(short_tmp: Path) -> None:
    async with paired_fleet(short_tmp) as (lab, daemon):
        expected = {
            401: ("alpha", "error", "logged_out"),
            403: ("beta", "blocked", None),
            406: ("gamma", "blocked", "banned"),
        }
        for code, (id, status, cause) in expected.items():
            await lab.account(PHONES[id], login_failure={"reason": code})
            await lab.fault("reset", target=PHONES[id])
            stopped = await daemon.until_status(id, status)
            found = stopped["statusMetadata"]["cause"]
            assert found["code"] == code
            assert cause is None or found["name"] == cause
            assert found["remedy"]
            assert stopped["isBlocked"] is (status == "blocked")
        counted = {id: await logins(lab, phone) for id, phone in PHONES.items()}

        # no further login: not by time, not by a killed actor, not by a restart of the daemon
        for id in PHONES:
            await daemon.kill(id)
        for id, status, _ in expected.values():
            await daemon.until_status(id, status)
        assert (await daemon.stop())[0] == 0
        await daemon.start()
        for id, status, _ in expected.values():
            await daemon.until_status(id, status)
        assert {id: await logins(lab, phone) for id, phone in PHONES.items()} == counted
        status_code, problem = await daemon.call(
            "POST", "/api/sessions/gamma/messages", json={"to": PHONES["alpha"], "text": "no"}
        )
        assert status_code == 409, problem
        assert problem["remedy"]


async def test_sigterm_leaves_nothing(short_tmp: Path) -> None:
    config = {"sessions": [{"id": f"sim-{i}", "connector": "simulator"} for i in range(8)]}
    async with running_daemon(short_tmp, config) as daemon:
        for i in range(8):
            await daemon.until_status(f"sim-{i}", "connected")
        everything = [process.pid for process in daemon.processes()]
        assert len(everything) > 12
        status, seconds = await daemon.stop()
        assert status == 0
        assert seconds < 10
        assert not [pid for pid in everything if psutil.pid_exists(pid)]
