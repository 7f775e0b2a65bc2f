"""A spare takes the place of a connector process that died: what the sessions and the supervision tree see of it."""

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.acceptance.test_recycling import Traffic, logins
from tests.acceptance.trouble import arrived, events
from tests.fixtures_daemon import Daemon, until
from tests.fixtures_fleet import PHONES, paired_fleet
from tests.fixtures_processes import nodes

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]


async def pid_of(daemon: Daemon, id: str) -> int:
    return int((await daemon.node(id))["pid"])


async def spare(daemon: Daemon, but: int = 0) -> int:
    """Waits for a spare, another one than ``but``."""

    async def there() -> int:
        found = [node["pid"] for node in nodes(await daemon.tree()) if node["id"] == "shard-0/spare"]
        return found[0] if found and found[0] != but else 0

    return int(await until("there is a spare", there, 60))


async def strike(daemon: Daemon, number: signal.Signals = signal.SIGKILL) -> tuple[int, int]:
    """Signals the connector process once there is a spare, and waits for that in its place: the pids of both."""
    waiting, old = await spare(daemon), await pid_of(daemon, "shard-0/connector")
    os.kill(old, number)

    async def follows() -> bool:
        return await pid_of(daemon, "shard-0/connector") == waiting

    await until("the spare has its place", follows, 60)
    for id in PHONES:
        await daemon.until_status(id, "connected")
    return old, waiting


async def test_sessions_go_on_with_the_spare(short_tmp: Path) -> None:
    timeout = {"supervision": {"heartbeat": "1s", "heartbeat_timeout": "6s"}}
    async with paired_fleet(short_tmp, config=timeout, decrypt=True) as (lab, daemon):
        assert all(node["kind"] != "connector-spare" for node in nodes(await daemon.tree())), "none is kept unasked"
        daemon.config["connectors"]["baileys"]["spare_after"] = "100ms"
        assert (await daemon.reload())["restartNeeded"] == []
        await spare(daemon)
        host, actors = await pid_of(daemon, "host"), {id: await pid_of(daemon, id) for id in PHONES}
        before = {id: await logins(lab, phone) for id, phone in PHONES.items()}
        traffic = Traffic(lab, daemon)
        running = asyncio.create_task(traffic.run())
        await until("messages run", lambda: len(traffic.sent) > 5)
        old, now = await strike(daemon)
        traffic.end()
        await running

        # the same host and session actors, one login each, and the death is on record
        assert (await pid_of(daemon, "host"), {id: await pid_of(daemon, id) for id in PHONES}) == (host, actors)
        assert {id: await logins(lab, phone) - before[id] for id, phone in PHONES.items()} == dict.fromkeys(PHONES, 1)
        assert await lab.journal("replaced") == []
        node = await daemon.node("shard-0/connector")
        assert (node["restarts"], node["lastExit"]["signal"]) == (1, "SIGKILL")
        assert not psutil.pid_exists(old)

        # no send is lost, or under two ids; no inbound message is lost, or told twice
        ids = {text: (await arrived(daemon, sender, id))["messageId"] for sender, id, text in traffic.sent}
        assert {message.id for message in await lab.messages()} >= set(ids.values())
        await until("all has been told", lambda: set(events(daemon, "session.message")) >= set(traffic.delivered), 30)
        told = [event for event in events(daemon, "session.message") if event in traffic.delivered]
        assert len(told) == len(set(told))

        # the next spare comes, and takes the place of one that hangs, of which the supervisor hears why
        await spare(daemon, but=now)
        os.kill(now, signal.SIGSTOP)
        await until("the one that hung is gone", lambda: not psutil.pid_exists(now), 90)
        for id in PHONES:
            await daemon.until_status(id, "connected")
        node = await daemon.node("shard-0/connector")
        assert (node["restarts"], node["lastExit"]["why"].partition(":")[0]) == (2, "silent")
        assert await pid_of(daemon, "host") == host

        # a host that dies takes its spare along, and so does the end of the daemon
        last = await spare(daemon)
        await daemon.kill("host")
        await until("it died with its host", lambda: not psutil.pid_exists(last))
        for id in PHONES:
            await daemon.until_status(id, "connected")
        last = await spare(daemon, but=last)
        assert (await daemon.stop())[0] == 0
        await until("nothing is left", lambda: not psutil.pid_exists(last))
        assert daemon.remaining() == []
