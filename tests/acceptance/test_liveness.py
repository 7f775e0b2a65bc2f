"""Sessions that look open and are not well, in a whole daemon: told from each other and from those that are quiet."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.fixtures_fleet import PHONES, paired_fleet

pytestmark = [pytest.mark.acceptance, pytest.mark.full, pytest.mark.timeout(300)]

STUCK_WITHIN = 60.0


def turns(daemon: Daemon) -> list[tuple[float, str, dict[str, Any]]]:
    """The changes of liveness, as recovery reads them."""
    query = "SELECT at, session, data FROM outbox WHERE type = 'health.liveness' ORDER BY seq"
    with closing(sqlite3.connect(daemon.state_dir / "health.db")) as conn:
        return [(at, session, json.loads(data)) for at, session, data in conn.execute(query)]


def canaries(daemon: Daemon) -> list[dict[str, Any]]:
    """What health knows of each."""
    with closing(sqlite3.connect(daemon.state_dir / "health.db")) as conn:
        conn.row_factory = sqlite3.Row
        return [dict(row) for row in conn.execute("SELECT * FROM canaries ORDER BY at")]


def told(daemon: Daemon, *types: str) -> list[tuple[str, dict[str, Any]]]:
    """Session and data of the events of all shards that have these types."""
    found = []
    for file in daemon.state_dir.glob("shard-*.db"):
        with closing(sqlite3.connect(file)) as conn:
            for session, type, data in conn.execute("SELECT session, type, data FROM outbox ORDER BY seq"):
                if type in types:
                    found.append((session, json.loads(data)))
    return found


CANARIES = {"enabled": True, "interval": "12s", "timeout": "1s", "daily_budget": 500}


def of(daemon: Daemon, id: str, liveness: str) -> list[dict[str, Any]]:
    """When and how a session got that liveness."""
    return [{"at": at, **data} for at, who, data in turns(daemon) if who == id and data["liveness"] == liveness]


def arrived(daemon: Daemon) -> set[str]:
    """Sessions at which canaries arrived."""
    return {canary["receiver"] for canary in canaries(daemon) if canary["outcome"] == "arrived"}


async def test_deaf_stuck_and_half_open_sessions_are_told_from_quiet_ones(short_tmp: Path) -> None:
    def session(id: str, *script: dict[str, Any]) -> dict[str, Any]:
        return {"id": id, "connector": "simulator", "simulator": {"paired": True, "script": list(script)}}

    config: dict[str, Any] = {
        "sessions": [
            session("quiet-1"),
            session("quiet-2"),
            session("deaf", {"after": "25s", "fault": "deaf"}),
            session("half-open", {"after": "25s", "fault": "half_open"}),
            session("stuck", {"after": "5s", "fault": "outbound_stuck"}),
        ],
        "supervision": {"heartbeat": "1s"},
        "connectors": {"simulator": {"heartbeat": "1s", "heartbeat_timeout": "900ms"}},
        "health": {"canary": CANARIES},
    }
    async with running_daemon(short_tmp, config) as daemon:
        for spec in config["sessions"]:
            await daemon.until_status(spec["id"], "connected")
        began = time.time()
        await until("canaries have arrived", lambda: arrived(daemon), 40)
        await asyncio.sleep(max(0.0, began + 8 - time.time()))
        sent = time.time()
        body = {"id": "stuck-1", "to": "15550109999", "text": "hello", "wait": "0s"}
        assert (await daemon.call("POST", "/api/sessions/stuck/messages", json=body))[0] == 202

        (deaf, *_) = await until("the deaf one is known", lambda: of(daemon, "deaf", "deaf"), 120)
        assert deaf["evidence"]["canariesMissed"] >= 3
        assert deaf["evidence"]["heartbeatAgeSeconds"] < 10
        (stuck, *_) = await until("the stuck one is known", lambda: of(daemon, "stuck", "outbound_stuck"), 90)
        assert stuck["at"] - sent < STUCK_WITHIN
        assert abs(stuck["since"] - sent) < 5

        # recovery takes it from there: another connection, with the cause, on which a canary follows and arrives
        def healed() -> bool:
            causes = [data["cause"] for who, data in told(daemon, "session.state") if who == "deaf"]
            again = [c for c in canaries(daemon) if c["receiver"] == "deaf" and c["at"] > deaf["at"]]
            return "deaf" in causes and any(c["outcome"] == "arrived" for c in again)

        await until("the deaf one hears again", healed, 60)
        everything = turns(daemon)
        assert {who for _, who, data in everything if data["liveness"] == "deaf"} == {"deaf"}
        assert {who for _, who, data in everything if data["liveness"] == "outbound_stuck"} == {"stuck"}
        ends = {who: data["cause"] for who, data in told(daemon, "session.state") if data["previous"] == "open"}
        assert ends.pop("half-open") == "heartbeat_lost"
        assert not ends.keys() & {"quiet-1", "quiet-2"}
        for id in ("quiet-1", "quiet-2"):
            status = await daemon.status(id)
            assert status["status"] == "connected"
            assert status["statusMetadata"]["cause"] is None
        ids = {canary["id"] for canary in canaries(daemon)}
        assert ids
        seen = {data["messageId"] for _, data in told(daemon, "session.message", "session.receipt")}
        assert not ids & seen
        page = (await daemon.call("GET", "/metrics"))[1]
        assert "wavigil_sessions_by_liveness" in page


async def test_a_deaf_session_is_noticed_although_health_is_killed_again_and_again(short_tmp: Path) -> None:
    def session(id: str, *script: dict[str, Any]) -> dict[str, Any]:
        return {"id": id, "connector": "simulator", "simulator": {"paired": True, "script": list(script)}}

    config: dict[str, Any] = {
        "sessions": [session("one"), session("two"), session("deaf", {"after": "15s", "fault": "deaf"})],
        "supervision": {"heartbeat": "1s"},
        "connectors": {"simulator": {"heartbeat": "1s", "heartbeat_timeout": "900ms"}},
        "health": {"canary": CANARIES},
    }
    async with running_daemon(short_tmp, config) as daemon:
        for spec in config["sessions"]:
            await daemon.until_status(spec["id"], "connected")
        kills = 0

        def of_the_deaf() -> list[dict[str, Any]]:
            return [canary for canary in canaries(daemon) if canary["receiver"] == "deaf"]

        def missed() -> int:
            return sum(canary["outcome"] == "missed" for canary in of_the_deaf())

        def accepted() -> str | None:
            under_way = [c for c in of_the_deaf() if c["accepted_at"] is not None and c["outcome"] is None]
            return str(under_way[0]["id"]) if under_way else None

        async def ends(id: str) -> str:
            def outcome() -> Any:
                return next(canary["outcome"] for canary in canaries(daemon) if canary["id"] == id)

            return str(await until("it has ended", outcome, 60))

        for _ in range(2):
            under_way = await until("a canary is under way", accepted, 60)
            await daemon.kill("health")
            assert await ends(under_way) in {"arrived", "missed"}
        kills = missed()

        async def is_known_or_missed() -> bool:
            return bool(of(daemon, "deaf", "deaf")) or missed() > kills

        while not of(daemon, "deaf", "deaf"):
            await until("it is known, or one more was missed", is_known_or_missed, 120)
            if missed() > kills:
                kills = missed()
                await daemon.kill("health")
        assert kills >= 3, "what was missed before outlived them"
        assert of(daemon, "deaf", "deaf")[0]["evidence"]["canariesMissed"] >= 3
        assert {who for _, who, data in turns(daemon) if data["liveness"] == "deaf"} == {"deaf"}
        assert {canary["receiver"] for canary in canaries(daemon) if canary["outcome"] == "missed"} == {"deaf"}


async def test_canaries_of_the_real_client(short_tmp: Path) -> None:
    async with paired_fleet(short_tmp, config={"health": {"canary": CANARIES}}) as (lab, daemon):
        await until("canaries arrive at all", lambda: arrived(daemon) == set(PHONES), 120)
        await lab.account(PHONES["beta"], policy={"deaf": True})
        began = time.time()
        (deaf, *_) = await until("the deaf one is known", lambda: of(daemon, "beta", "deaf"), 120)
        assert deaf["since"] < began + 5
        assert deaf["evidence"]["heartbeatAgeSeconds"] < 10
        assert not [who for _, who, data in turns(daemon) if data["liveness"] == "deaf" and who != "beta"]
        ids = {canary["id"] for canary in canaries(daemon)}
        seen = {data["messageId"] for _, data in told(daemon, "session.message", "session.receipt")}
        assert not ids & seen
