"""Every strategy on real sessions while messages run: nothing is lost or sent twice, and nobody is logged in twice."""

import asyncio
import json
import os
import signal
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.runtime.rpc import Link, RemoteError
from tests.acceptance.test_recycling import ROUTES, Traffic, bound, logins
from tests.acceptance.trouble import accept, arrived, events, kill
from tests.fixtures_daemon import Daemon, until
from tests.fixtures_fleet import PHONES, paired_fleet
from tests.labclient import Lab

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]


async def force(daemon: Daemon, session: str, strategy: str) -> Any:
    """As main orders it for an operator."""
    link = await Link.connect(str(daemon.state_dir / "gateway.sock"), on_event=lambda _link, _frame: None)
    try:
        args = {"strategy": strategy, "who": "test"}
        return await link.request("command", 60, session=session, name="force", args=args, patience=50)
    finally:
        link.abort()


def ledger(daemon: Daemon, session: str) -> list[tuple[Any, ...]]:
    """(strategy, outcome) of the actions of a session's episodes that ended, and how those ended."""
    query = """SELECT actions.strategy, actions.outcome, episodes.outcome, episodes.healed_at IS NOT NULL
    FROM actions JOIN episodes ON episodes.id = actions.episode
    WHERE actions.session = ? AND episodes.ended_at IS NOT NULL ORDER BY actions.id"""
    with closing(sqlite3.connect(f"file:{daemon.state_dir}/recovery.db?mode=ro", uri=True)) as conn:
        return [tuple(row) for row in conn.execute(query, (session,))]


async def healed(daemon: Daemon, session: str, strategy: str) -> None:
    """The ledger says that it helped: open again, with proof in both directions."""
    wanted = (strategy, "helped", "healed", 1)
    await until(f"{session} is healed by {strategy}", lambda: wanted in ledger(daemon, session), 60)


def bridges(daemon: Daemon) -> set[int]:
    """The connector processes that run."""
    found = set()
    for process in daemon.processes():
        with suppress(psutil.Error):
            if "main.mjs" in " ".join(process.cmdline()):
                found.add(process.pid)
    return found


async def all_are_well(daemon: Daemon) -> None:
    for id in PHONES:
        await daemon.until_status(id, "connected", 90)


async def nobody_came_twice(lab: Lab) -> None:
    assert await lab.journal("replaced") == [], "a login while the session was still logged in: a 440 of our own making"


async def everything_arrived_once(daemon: Daemon, lab: Lab, traffic: Traffic) -> None:
    ids = {text: (await arrived(daemon, sender, id))["messageId"] for sender, id, text in traffic.sent}
    assert len(set(ids.values())) == len(ids)
    seen = [message for message in await lab.messages() if message.id in ids.values()]
    assert {message.id for message in seen} == set(ids.values())
    for sender, phone in PHONES.items():
        own = [message.id for message in sorted(seen, key=lambda m: m.seq) if message.account == phone]
        assert list(dict.fromkeys(own)) == [ids[text] for by, _, text in traffic.sent if by == sender]
    wanted = {*traffic.delivered, *((r, ids[text]) for s, r in ROUTES for by, _, text in traffic.sent if by == s)}
    await until("all has been told", lambda: set(events(daemon, "session.message")) >= wanted, 60)
    told = [event for event in events(daemon, "session.message") if event in wanted]
    assert len(told) == len(set(told))


async def without_recovery(daemon: Daemon, lab: Lab) -> None:
    """A session plans for itself while recovery stands still, and the ledger says so when it is back."""
    frozen, before = (await daemon.node("recovery"))["pid"], await logins(lab, PHONES["alpha"])

    async def came_back() -> bool:
        return await logins(lab, PHONES["alpha"]) > before

    os.kill(frozen, signal.SIGSTOP)
    try:
        await lab.fault("reset", target=PHONES["alpha"])
        await until("it came back by itself", came_back)
    finally:
        os.kill(frozen, signal.SIGCONT)
    query = """SELECT json_extract(data, '$.plannedBy') FROM episodes
    WHERE session = 'alpha' AND cause = 'connection_closed' AND outcome = 'healed'"""

    def planned() -> list[Any]:
        with closing(sqlite3.connect(f"file:{daemon.state_dir}/recovery.db?mode=ro", uri=True)) as conn:
            return [json.loads(row[0]) for row in conn.execute(query)]

    found = await until("it is in the ledger", planned, 60)
    assert set(found[0]) == {"session"}, found


@pytest.mark.parametrize("frozen", ["for good", pytest.param("for a moment", marks=pytest.mark.full)])
async def test_each_strategy_keeps_what_a_session_has(short_tmp: Path, frozen: str) -> None:
    async with paired_fleet(short_tmp, decrypt=True) as (lab, daemon):
        await bound(daemon, "512MiB", "1024MiB")  # as many requests as are needed
        traffic = Traffic(lab, daemon, pause=0.2)
        running = asyncio.create_task(traffic.run())
        before = {id: await daemon.node(id) for id in PHONES}

        await force(daemon, "alpha", "reconnect")
        await healed(daemon, "alpha", "reconnect")
        assert (await daemon.node("alpha"))["pid"] == before["alpha"]["pid"]

        await without_recovery(daemon, lab)

        await force(daemon, "beta", "restart")
        await healed(daemon, "beta", "restart")
        after = await daemon.node("beta")
        assert after["pid"] != before["beta"]["pid"]
        assert after["restarts"] == before["beta"]["restarts"], "to be replaced is no failure"
        assert after["lastExit"]["how"] == "asked"

        (old,) = bridges(daemon)
        await force(daemon, "gamma", "failover")
        await until("a fresh process is there", lambda: len(bridges(daemon)) == 2, 60)
        os.kill(old, signal.SIGSTOP)  # as a machine would that stands still: what it holds is still logged in
        os.kill((await daemon.node("gamma"))["pid"], signal.SIGKILL)
        if frozen == "for a moment":
            await asyncio.sleep(2)
            os.kill(old, signal.SIGCONT)
        await until("nothing of the old process is left", lambda: bridges(daemon) & {old} == set(), 120)
        await all_are_well(daemon)
        await healed(daemon, "gamma", "failover")
        if frozen == "for good":
            assert f"connector process {old} does not answer while it is being left" in daemon.log

        with pytest.raises(RemoteError, match=r"replaced (already|a short time ago)"):
            await force(daemon, "alpha", "failover")
        refused = ("failover", "refused", "operator", 0)
        await until("the refusal is in the ledger", lambda: refused in ledger(daemon, "alpha"))
        if frozen == "for a moment":
            for victim in ("shard-0/connector", "host", "beta"):
                await until(f"{victim} is killed", lambda name=victim: kill(daemon, name))
                await all_are_well(daemon)
        traffic.end()
        await running
        await everything_arrived_once(daemon, lab, traffic)
        await nobody_came_twice(lab)
        status = await daemon.status("gamma")
        assert status["labels"] == {"team": "test"}


@pytest.mark.full
@pytest.mark.timeout(600)
async def test_what_stays_stuck_climbs_until_the_server_listens(short_tmp: Path) -> None:
    async with paired_fleet(short_tmp) as (lab, daemon):
        (process,), actor = bridges(daemon), (await daemon.node("alpha"))["pid"]
        await lab.account(PHONES["alpha"], policy={"dropAck": True})
        await accept(daemon, "alpha", "order", PHONES["beta"], "hello")

        def ordered() -> list[str]:
            query = "SELECT strategy FROM actions WHERE session = 'alpha' AND cause = 'outbound_stuck' ORDER BY id"
            with closing(sqlite3.connect(f"file:{daemon.state_dir}/recovery.db?mode=ro", uri=True)) as conn:
                return [row[0] for row in conn.execute(query)]

        await until("it has climbed", lambda: ordered() == ["reconnect", "restart", "failover"], 400, every=1.0)
        assert (await daemon.node("alpha"))["pid"] != actor
        await until("a fresh process", lambda: not psutil.pid_exists(process), 60)
        await lab.account(PHONES["alpha"], policy={"dropAck": False})
        await arrived(daemon, "alpha", "order")
        await until("it is healed", lambda: "healed" in [entry[2] for entry in ledger(daemon, "alpha")], 120)
        outcomes = [entry[1] for entry in ledger(daemon, "alpha")]
        assert outcomes[:2] == ["failed", "failed"]
        assert outcomes[-1] == "helped"
        with closing(sqlite3.connect(f"file:{daemon.state_dir}/recovery.db?mode=ro", uri=True)) as conn:
            touched = {row[0] for row in conn.execute("SELECT session FROM actions WHERE cause = 'outbound_stuck'")}
        assert touched == {"alpha"}, "nobody else was in trouble"
        await nobody_came_twice(lab)
