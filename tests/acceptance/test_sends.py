"""What was accepted is sent once: over the death of every part, in the order of acceptance, under one WhatsApp id."""

import asyncio
import os
import random
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.fixtures_fleet import PHONES, paired_fleet
from tests.labclient import Lab, LabMessage

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

SENDS = 40
ROUTES = (("alpha", "beta"), ("gamma", "beta"), ("beta", "alpha"))
ARRIVED = {"acknowledged", "delivered", "read"}
SEED = 20261122


async def accept(daemon: Daemon, session: str, id: str, to: str, text: str) -> dict[str, Any]:
    """Repeats a request until it is answered, as a client of the API does: the id makes that harmless."""
    body = {"id": id, "to": to, "text": text, "wait": "0s"}
    answer: dict[str, Any] = {}

    async def accepted() -> bool:
        try:
            status, found = await daemon.call("POST", f"/api/sessions/{session}/messages", json=body)
        except (aiohttp.ClientError, AssertionError, RuntimeError):
            return False  # the daemon is being restarted
        assert status in {200, 202, 503}, found
        answer.update(found)
        return status != 503

    await until(f"{id} is accepted", accepted, 40)
    return answer


async def arrived(daemon: Daemon, session: str, id: str) -> dict[str, Any]:
    last: dict[str, Any] = {}

    async def there() -> bool:
        last.update(await daemon.get(f"/api/sessions/{session}/messages/{id}"))
        assert last["state"] != "failed", last
        return last["state"] in ARRIVED

    await until(f"{session}'s {id} arrived", there, 60)
    return last


def events(daemon: Daemon, type: str) -> list[tuple[str, str]]:
    """(session, messageId) of all events of a type, in their order."""
    query = "SELECT session, json_extract(data, '$.messageId') FROM outbox WHERE type = ? ORDER BY seq"
    with closing(sqlite3.connect(f"file:{daemon.state_dir}/shard-0.db?mode=ro", uri=True)) as conn:
        return [tuple(row) for row in conn.execute(query, (type,))]


async def kill_host(daemon: Daemon) -> None:
    await daemon.kill("host")


async def kill_connector(daemon: Daemon) -> None:
    os.kill((await daemon.node("shard-0/connector"))["pid"], signal.SIGKILL)


async def kill_session(daemon: Daemon) -> None:
    await daemon.kill("alpha")


async def kill_main(daemon: Daemon) -> None:
    everything = daemon.processes()
    assert daemon.process is not None
    daemon.process.kill()
    await daemon.process.wait()
    await until("nothing is left", lambda: not any(process.is_running() for process in everything), 10)
    await daemon.start()


KILLS: tuple[Callable[[Daemon], Awaitable[None]], ...] = (kill_host, kill_connector, kill_session, kill_main)


async def test_every_part_is_killed_during_a_stream(short_tmp: Path) -> None:
    rng = random.Random(SEED)
    moments = dict(zip(sorted(rng.sample(range(4, SENDS - 2), len(KILLS))), rng.sample(KILLS, len(KILLS)), strict=True))
    async with paired_fleet(short_tmp, decrypt=True) as (lab, daemon):
        accepted: list[tuple[str, str, str]] = []
        for number in range(SENDS):
            sender, recipient = rng.choice(ROUTES)
            text = f"{number:02} from {sender} to {recipient}"
            await accept(daemon, sender, f"order-{number}", PHONES[recipient], text)
            accepted.append((sender, f"order-{number}", text))
            if number in moments:
                await asyncio.sleep(rng.uniform(0, 0.3))  # into the middle of what is under way
                await moments[number](daemon)
        ids = {text: (await arrived(daemon, sender, id))["messageId"] for sender, id, text in accepted}

        seen = [message for message in await lab.messages() if message.text in ids]
        assert {message.text for message in seen} == set(ids)
        assert {(message.text, message.id) for message in seen} == set(ids.items())
        for sender, recipient in ROUTES:
            route = f"from {sender} to {recipient}"
            wanted = [text for _, _, text in accepted if text.endswith(route)]
            assert first_times(seen, route) == wanted

        # an id that is repeated after the restart sends nothing
        sender, id, text = accepted[0]
        again = await accept(daemon, sender, id, PHONES[text.rsplit(maxsplit=1)[-1]], text)
        assert again["messageId"] == ids[text]
        assert again["state"] in ARRIVED

        # what came while everything lived is in the recipient's outbox, once
        calm = {ids[text] for number, (_, _, text) in enumerate(accepted) if number > max(moments)}

        async def all_received() -> bool:
            return {message for _, message in events(daemon, "session.message")} >= calm

        await until("each message is in the recipient's outbox", all_received, 30)
        received = [entry for entry in events(daemon, "session.message") if entry[1] in calm]
        assert len(received) == len(set(received)), "a message was told twice"


def first_times(seen: list[LabMessage], route: str) -> list[str]:
    texts = [message.text for message in sorted(seen, key=lambda m: m.seq) if message.text is not None]
    return list(dict.fromkeys(text for text in texts if text.endswith(route)))


async def test_what_is_refused_fails_and_says_why(short_tmp: Path) -> None:
    async with paired_fleet(short_tmp) as (lab, daemon):
        await lab.account(PHONES["alpha"], policy={"ackError": "463"})
        await accept(daemon, "alpha", "nacked", PHONES["beta"], "hello")

        async def failed(session: str, id: str) -> str | None:
            found = await daemon.get(f"/api/sessions/{session}/messages/{id}")
            return found["error"] if found["state"] == "failed" else None

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
