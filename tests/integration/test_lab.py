"""The lab server itself: its own test suite, and the Python class that drives it."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from actors.connectors.node import NodeNotFound, find_node
from tests.labclient import ROOT, Lab, LabError

pytestmark = pytest.mark.integration

SUITE_TIMEOUT_S = 180
PHONE = "15550001"


@pytest.fixture(scope="module")
def node() -> Path:
    """Node.js for the lab. Without one these tests are skipped, and the summary says so; in CI that is a failure."""
    try:
        return find_node().path
    except NodeNotFound as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(error))
        pytest.skip(f"THE LAB SERVER IS NOT TESTED: {error}")


@pytest.fixture
async def lab(node: Path) -> AsyncIterator[Lab]:
    async with Lab(node=node) as running:
        yield running


@pytest.mark.timeout(SUITE_TIMEOUT_S + 10)
def test_its_own_suite_passes(node: Path) -> None:
    """Real Baileys clients against the server: pairing, messages, every fault."""
    tests = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "test").glob("*.test.mjs"))
    assert len(tests) >= 4
    # Baileys leaves timers of a minute behind; --test-force-exit does not wait for them.
    done = subprocess.run(
        [node, "--test", "--test-force-exit", "--test-reporter=spec", *tests],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=SUITE_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]


async def test_ready_line_says_where_it_is(lab: Lab) -> None:
    assert lab.ws_url.startswith("ws://127.0.0.1:")
    assert lab.control_url.startswith("http://127.0.0.1:")
    assert len(bytes.fromhex(lab.root_key)) == 32
    assert psutil.pid_exists(lab.pid)
    state = await lab.state()
    assert state["listening"] is True
    assert state["connections"] == []


async def test_verbs_reach_the_server(lab: Lab) -> None:
    creds = await lab.creds(PHONE)
    assert creds["me"]["id"] == f"{PHONE}:1@s.whatsapp.net"
    assert (await lab.account(PHONE, login_failure={"reason": 403}))["loginFailure"] == {"reason": 403}
    assert (await lab.account(PHONE, policy={"deaf": True}))["loginFailure"] == {"reason": 403}
    assert (await lab.account(PHONE, login_failure="none"))["loginFailure"] is None
    assert (await lab.defaults(latencyMs=5))["latencyMs"] == 5
    await lab.connect_rules({"kind": "http", "status": 503, "times": 2})
    assert (await lab.state())["rules"] == [{"kind": "http", "status": 503, "times": 2}]
    await lab.connect_rules()
    assert (await lab.state())["rules"] == []
    await lab.listen(on=False)
    assert (await lab.state())["listening"] is False
    await lab.listen(on=True)
    assert await lab.fault("reset") == []
    message_id = await lab.deliver(PHONE, "15559999", "waits for the device")
    [account] = [a for a in (await lab.state())["accounts"] if a["phone"] == PHONE]
    assert account["devices"][0]["pending"] == 1
    delivered = await lab.wait_for("delivered", account=PHONE)
    assert delivered.data["id"] == message_id
    await lab.unlink(PHONE, 1)
    assert await lab.messages() == []
    await lab.reset(forget=True)
    assert (await lab.state())["accounts"] == []


async def test_what_the_server_refuses_is_an_error_with_its_words(lab: Lab) -> None:
    with pytest.raises(LabError, match="no live connection shows this QR code"):
        await lab.scan("2@x,y,z,w", PHONE)
    with pytest.raises(LabError, match="no pairing by code under way"):
        await lab.enter_code(PHONE, "ABCDEFGH")
    with pytest.raises(LabError, match="not a phone number"):
        await lab.account("nobody")
    with pytest.raises(LabError, match='unknown policy "dropAcks"'):
        await lab.defaults(dropAcks=True)
    with pytest.raises(TimeoutError, match="no login"):
        await lab.wait_for("login", timeout_s=0.05)


async def test_wait_for_sees_what_comes_later(lab: Lab) -> None:
    await lab.creds(PHONE)
    waiting = asyncio.create_task(lab.wait_for("unlinked", account=PHONE, device=1))
    await lab.unlink(PHONE, 1)
    assert (await waiting).data["cause"] == "phone"


async def test_no_process_is_left_whatever_happens(node: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Lab(node=node) as lab:
            raise ZeroDivisionError
    assert not psutil.pid_exists(lab.pid)
    async with Lab(node=node) as killed:
        psutil.Process(killed.pid).kill()
    await killed.stop()
    with pytest.raises(LabError, match="not running"):
        await killed.state()
    with pytest.raises(LabError, match="ended instead of getting ready"):
        await Lab(node=node, port=-1).start()
