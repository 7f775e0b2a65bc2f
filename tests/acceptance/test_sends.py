"""What was accepted ends with an answer: refused with its code, failed with its cause, or kept while it may wait."""

from pathlib import Path

import pytest

from tests.acceptance.trouble import accept, arrived
from tests.fixtures_daemon import running_daemon, until
from tests.fixtures_fleet import PHONES, paired_fleet
from tests.labclient import Lab

NOBODY = "15550109999"
"""A number that is not on WhatsApp."""

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]


async def test_what_is_refused_fails_and_says_why(short_tmp: Path) -> None:
    async with paired_fleet(short_tmp) as (lab, daemon):

        async def failed(session: str, id: str) -> str | None:
            found = await daemon.get(f"/api/sessions/{session}/messages/{id}")
            return found["error"] if found["state"] == "failed" else None

        await lab.account(NOBODY, policy={"registered": False})
        await accept(daemon, "alpha", "to-nobody", NOBODY, "hello")
        assert await until("nobody is told", lambda: failed("alpha", "to-nobody")) == "invalid_recipient"
        await lab.account(PHONES["alpha"], policy={"ackError": "463"})
        await accept(daemon, "alpha", "nacked", PHONES["beta"], "hello")
        assert await until("the refusal is told", lambda: failed("alpha", "nacked")) == "nack_463"

        # what waits for a session that is blocked meanwhile has failed, and nothing new is accepted
        await lab.account(PHONES["gamma"], policy={"dropAck": True})
        for number in range(3):
            await accept(daemon, "gamma", f"waits-{number}", PHONES["beta"], f"number {number}")
        await until("one is on its way", lambda: on_its_way(lab, PHONES["gamma"]))
        await lab.account(PHONES["gamma"], login_failure={"reason": 403})
        await lab.fault("reset", target=PHONES["gamma"])
        blocked = await daemon.until_status("gamma", "blocked")
        cause = blocked["statusMetadata"]["cause"]["name"]
        for number in range(3):
            error = await until(f"waits-{number} has failed", lambda n=number: failed("gamma", f"waits-{n}"))
            assert error == cause
        status, problem = await daemon.call(
            "POST", "/api/sessions/gamma/messages", json={"to": PHONES["beta"], "text": "no"}
        )
        assert (status, problem["context"]["cause"]) == (409, cause)
        assert problem["remedy"]

        # out of the file: what waits has failed, also when the session comes back
        await lab.account(PHONES["beta"], policy={"dropAck": True})
        for number in range(2):
            await accept(daemon, "beta", f"waits-{number}", PHONES["alpha"], f"number {number}")
        await until("one is on its way", lambda: on_its_way(lab, PHONES["beta"]))
        sessions = daemon.config["sessions"]
        daemon.config["sessions"] = [
            *(spec for spec in sessions if spec["id"] != "beta"),
            {"id": "unpaired", "connector": "baileys"},
        ]
        assert (await daemon.reload())["removed"] == ["beta"]
        await lab.fault("reset", target=PHONES["beta"])  # else the connection is adopted, with what it waits for
        await daemon.until_status("unpaired", "pairing")
        status, problem = await daemon.call(
            "POST", "/api/sessions/unpaired/messages", json={"to": PHONES["alpha"], "text": "no"}
        )
        assert (status, problem["remedy"]) == (409, "Pair the device: `wavigil pair ID`.")
        await lab.account(PHONES["beta"], policy={"dropAck": False})
        daemon.config["sessions"] = sessions
        await daemon.reload()
        await daemon.until_status("beta", "connected")
        for number in range(2):
            assert await failed("beta", f"waits-{number}") == "session_removed"
        await accept(daemon, "beta", "back", PHONES["alpha"], "back again")
        await arrived(daemon, "beta", "back")


async def on_its_way(lab: Lab, phone: str) -> bool:
    return any(message.account == phone for message in await lab.messages())


async def test_a_stopped_session_keeps_what_waits(short_tmp: Path) -> None:
    own = {"paired": True, "latency": "150ms", "jitter": "0ms"}
    config = {"sessions": [{"id": "sim-0", "connector": "simulator", "simulator": own}]}
    async with running_daemon(short_tmp, config) as daemon:
        await daemon.until_status("sim-0", "connected")
        for number in range(12):
            await accept(daemon, "sim-0", f"order-{number}", "15550100009", f"number {number}")
        assert (await daemon.call("POST", "/api/sessions/sim-0/stop"))[0] in {200, 202, 204}
        await daemon.until_status("sim-0", "stopped")
        last = await daemon.get("/api/sessions/sim-0/messages/order-11")
        assert last["state"] == "queued"
        assert (await daemon.stop())[0] == 0
        await daemon.start()
        await daemon.until_status("sim-0", "stopped")
        assert (await daemon.get("/api/sessions/sim-0/messages/order-11"))["state"] == "queued"
        assert (await daemon.call("POST", "/api/sessions/sim-0/start"))[0] in {200, 202, 204}
        for number in range(12):
            await arrived(daemon, "sim-0", f"order-{number}")
