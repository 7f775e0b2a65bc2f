"""A bloated connector process hands its real sessions to a fresh one while messages run; a bigger one is killed."""

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.acceptance.trouble import accept, arrived, events
from tests.fixtures_daemon import Daemon, until
from tests.fixtures_fleet import PHONES, paired_fleet
from tests.labclient import Lab

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

ROUTES = (("alpha", "beta"), ("beta", "gamma"), ("gamma", "alpha"))
STRANGER = "15550199999"


class Traffic:
    """Sends between the sessions, and messages from a stranger to each of them, until it is told to end."""

    def __init__(self, lab: Lab, daemon: Daemon, pause: float = 0.0) -> None:
        self._pause = pause
        self._lab = lab
        self._daemon = daemon
        self._over = asyncio.Event()
        self.sent: list[tuple[str, str, str]] = []
        self.delivered: list[tuple[str, str]] = []

    async def run(self) -> None:
        number = 0
        while not self._over.is_set():
            sender, recipient = ROUTES[number % len(ROUTES)]
            text = f"{number:04} from {sender}"
            await accept(self._daemon, sender, f"order-{number}", PHONES[recipient], text)
            self.sent.append((sender, f"order-{number}", text))
            self.delivered.append((recipient, await self._lab.deliver(PHONES[recipient], STRANGER, text)))
            number += 1
            await asyncio.sleep(self._pause)

    def end(self) -> None:
        self._over.set()


async def bound(daemon: Daemon, recycle: str, limit: str) -> None:
    daemon.config["connectors"]["baileys"] |= {"recycle_memory": recycle, "memory_limit": limit}
    daemon.config.setdefault("http", {})["requests_per_second"] = 5000  # what is asked for here is asked for in a row
    assert (await daemon.reload())["restartNeeded"] == []


async def connector(daemon: Daemon) -> int:
    return int((await daemon.node("shard-0/connector"))["pid"])


async def logins(lab: Lab, phone: str) -> int:
    return len([entry for entry in await lab.journal("login") if entry.data["account"] == phone])


async def metric(daemon: Daemon, name: str) -> float:
    text = await daemon.get("/metrics")
    lines = [line for line in text.splitlines() if line.startswith(f'{name}{{shard="shard-0"}}')]
    return float(lines[0].rpartition(" ")[2]) if lines else -1.0


async def test_sessions_move_without_losing_a_message(short_tmp: Path) -> None:
    async with paired_fleet(short_tmp, decrypt=True) as (lab, daemon):
        old = await connector(daemon)
        actors = {id: (await daemon.node(id))["pid"] for id in PHONES}
        before = {id: await logins(lab, phone) for id, phone in PHONES.items()}
        traffic = Traffic(lab, daemon)
        running = asyncio.create_task(traffic.run())
        await bound(daemon, "64MiB", "1024MiB")
        await until("the old process has ended", lambda: not psutil.pid_exists(old), 60)
        fresh = await connector(daemon)
        traffic.end()
        await running

        # each moved once, by itself, and with the same actor
        assert {id: await logins(lab, phone) - before[id] for id, phone in PHONES.items()} == dict.fromkeys(PHONES, 1)
        assert {id: (await daemon.node(id))["pid"] for id in PHONES} == actors
        assert await lab.journal("replaced") == []
        assert (await daemon.node("shard-0/connector"))["restarts"] == 1

        # no send is lost, or under two ids, or out of order
        ids = {text: (await arrived(daemon, sender, id))["messageId"] for sender, id, text in traffic.sent}
        seen = [message for message in await lab.messages() if message.id in ids.values()]
        assert {message.id for message in seen} == set(ids.values())
        for sender, phone in PHONES.items():
            own = [message.id for message in sorted(seen, key=lambda m: m.seq) if message.account == phone]
            assert list(dict.fromkeys(own)) == [ids[text] for by, _, text in traffic.sent if by == sender]

        # no inbound message is lost, or told twice
        wanted = {*traffic.delivered, *((r, ids[text]) for s, r in ROUTES for by, _, text in traffic.sent if by == s)}
        await until("all has been told", lambda: set(events(daemon, "session.message")) >= wanted, 30)
        told = [event for event in events(daemon, "session.message") if event in wanted]
        assert len(told) == len(set(told))
        assert not events(daemon, "session.undecryptable")

        # it is told, and does not go on for ever although the bound is far too low
        async def counted() -> bool:
            return await metric(daemon, "wavigil_connector_recycled_total") == 1

        await until("the metrics tell", counted)
        assert await metric(daemon, "wavigil_connector_resident_memory_bytes") > 64 * 2**20
        assert await metric(daemon, "wavigil_connector_event_loop_lag_seconds") >= 0
        assert await connector(daemon) == fresh
        assert "a fresh one takes its sessions over" in daemon.log

        # beyond the limit there is no order any more
        await bound(daemon, "64MiB", "65MiB")
        await until("it was killed", lambda: not psutil.pid_exists(fresh), 30)
        await bound(daemon, "512MiB", "1024MiB")
        for id in PHONES:
            await daemon.until_status(id, "connected")
        assert "MiB and is killed" in daemon.log


async def test_the_fresh_process_dies_in_the_middle(short_tmp: Path) -> None:
    async with paired_fleet(short_tmp) as (lab, daemon):
        old = await connector(daemon)
        # admission lets nobody in for long enough that the kill comes in the middle
        daemon.config["connectors"]["baileys"]["connects_per_second"] = 0.2
        await bound(daemon, "64MiB", "1024MiB")

        def young() -> list[psutil.Process]:
            return [p for p in daemon.processes() if "main.mjs" in " ".join(p.cmdline()) and p.pid != old]

        fresh = await until("a fresh process", young, 30)
        await until("a session has left", lambda: left(lab), 30)
        os.kill(fresh[0].pid, signal.SIGKILL)
        daemon.config["connectors"]["baileys"]["connects_per_second"] = 50
        await bound(daemon, "512MiB", "1024MiB")
        for id in PHONES:
            await daemon.until_status(id, "connected")
        await until("nothing of before is left", lambda: not psutil.pid_exists(old))
        sender, recipient = ROUTES[0]
        await accept(daemon, sender, "afterwards", PHONES[recipient], "still here")
        await arrived(daemon, sender, "afterwards")


async def left(lab: Lab) -> bool:
    return bool([entry for entry in await lab.journal("closed") if entry.data.get("code") == 1000])
