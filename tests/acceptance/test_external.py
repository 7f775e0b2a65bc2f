"""A daemon whose sessions run on a connector of one's own: the one in plain Node.js from the contract suite."""

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.connectors.node import find_node
from tests.fixtures_daemon import Daemon, running_daemon, until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

PROGRAM = Path(__file__).parents[1] / "contract" / "plain" / "main.mjs"
PHONES = {"alpha": "15550100001", "beta": "15550100002"}


def configuration(*command: str, **options: Any) -> dict[str, Any]:
    """Two sessions on the program."""
    return {
        "sessions": [{"id": id, "connector": "external"} for id in PHONES],
        "connectors": {
            "external": {
                "command": list(command) or [str(find_node().path), str(PROGRAM)],
                "options": {"phones": PHONES, **options},
                "connects_per_second": 50,
            }
        },
        "supervision": {"heartbeat": "200ms", "heartbeat_timeout": "4s", "tick": "100ms"},
    }


def inbound(daemon: Daemon, session: str) -> list[str]:
    """The texts that a session received, as its host stored them."""
    query = (
        "SELECT json_extract(data, '$.text') FROM outbox WHERE type = 'session.message' AND session = ? ORDER BY seq"
    )
    with closing(sqlite3.connect(f"file:{daemon.state_dir}/shard-0.db?mode=ro", uri=True)) as conn:
        return [text for (text,) in conn.execute(query, (session,))]


async def write(daemon: Daemon, text: str) -> None:
    """Alpha writes to beta, and has the receipt of its phone."""
    body = {"id": text, "to": PHONES["beta"], "text": text, "wait": "20s"}
    status, found = await daemon.call("POST", "/api/sessions/alpha/messages", json=body)
    assert status == 200, found

    async def delivered() -> bool:
        return bool((await daemon.get(f"/api/sessions/alpha/messages/{text}"))["state"] == "delivered")

    await until(f"{text} is delivered", delivered)


async def test_sessions_pair_open_and_write_on_a_program_of_ones_own(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, configuration()) as daemon:
        for id in PHONES:
            await daemon.until_status(id, "pairing")
            status, answer = await daemon.call("GET", f"/api/sessions/{id}/pairing")
            assert (status, answer["qr"]) == (200, f"plain:{id}:1")
            await daemon.until_status(id, "connected")
        await write(daemon, "first")
        node = await daemon.node("shard-0/connector")
        assert node["version"] == "1"
        before = {id: await opened_at(daemon, id) for id in PHONES}
        await daemon.kill("shard-0/connector")
        await until("another process", lambda: another(daemon, node["pid"]))
        # Not the status of before: a phone that this program does not know has no mailbox there.
        for id in PHONES:
            await until(f"{id} is open again", partial(reopened, daemon, id, before[id]))
        await write(daemon, "second")

        async def both_are_there() -> bool:
            return inbound(daemon, "beta") == ["first", "second"]

        await until("both messages are stored", both_are_there)  # this program tells alpha at once
        assert (await daemon.stop())[0] == 0


async def opened_at(daemon: Daemon, session: str) -> str | None:
    """Since when a session is open, if it is."""
    status = await daemon.status(session)
    return str(status["statusMetadata"]["since"]) if status["status"] == "connected" else None


async def reopened(daemon: Daemon, session: str, before: str | None) -> bool:
    """Whether a session is open on another connection than before."""
    return await opened_at(daemon, session) not in {None, before}


async def another(daemon: Daemon, pid: int) -> bool:
    """Whether the shard has another connector process."""
    return bool((await daemon.node("shard-0/connector"))["pid"] != pid)
