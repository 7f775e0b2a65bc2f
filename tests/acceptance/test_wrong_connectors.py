"""Connectors that break the protocol, in a daemon: what an operator sees of them, and that nobody else is hurt."""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

REPOSITORY = Path(__file__).parents[2]
PROGRAM = (
    f"import sys, runpy; sys.path.insert(0, {str(REPOSITORY)!r}); "
    "runpy.run_module('tests.contract.wrong', run_name='__main__')"
)
DEEDS = {
    "dies": "died_at_start",
    "oversize": "malformed",
    "session-flood": "flood",
    "session-refuses": "refusing",
    "session-microseconds": "malformed",
    "nack-data": None,
    "nested-stderr": None,
    "noisy": None,
}
"""By shard: what its connector does, and as what the host knows it; None: as nothing that lasts."""
LIVES_ON = {"refusing"}
"""For what no connector is ended."""
ROOM = 96 * 2**20
"""Bytes that a host with a wrong connector may use more than the one with a good connector."""


def configuration(folder: Path) -> dict[str, Any]:
    """A session, a shard and a connector for each deed."""
    deeds = {f"shard-{number}": deed for number, deed in enumerate(DEEDS)}
    return {
        "sessions": [{"id": f"s-{number}", "connector": "external"} for number in range(len(DEEDS))],
        "connectors": {
            "external": {
                "command": [sys.executable, "-c", PROGRAM],
                "options": {"deeds": deeds},
                "sessions_per_host": 1,
                "connects_per_second": 50,
            }
        },
        "supervision": {"heartbeat": "200ms", "heartbeat_timeout": "4s", "tick": "100ms"},
    }


def peak(pid: int) -> int:
    """Bytes: the most that a process had in memory; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


async def test_an_operator_sees_what_a_connector_did_and_no_other_session_is_hurt(short_tmp: Path) -> None:
    config = configuration(short_tmp)
    async with running_daemon(short_tmp, config) as daemon:
        shards = {deed: number for number, deed in enumerate(DEEDS)}
        with closing(sqlite3.connect(f"file:{daemon.state_dir}/api.db?mode=ro", uri=True)) as conn:
            living = dict(conn.execute("SELECT shard, session FROM placement"))
        session = {deed: living[number] for deed, number in shards.items()}
        good = session["noisy"]
        await daemon.until_status(good, "connected")
        await daemon.until_status(session["nested-stderr"], "connected")
        before = await daemon.marks(good, session["nested-stderr"])
        await daemon.until_status(session["nack-data"], "connected")
        body = {"id": "refused", "to": "+15550100009", "text": "hello"}
        status, found = await daemon.call("POST", f"/api/sessions/{session['nack-data']}/messages", json=body)
        assert status in {200, 202}, found
        ended = f"shard-{shards['nack-data']}: the connector is ended, malformed: "
        await until("an error with wrong details is told", lambda: ended in daemon.log)
        for deed, kind in DEEDS.items():
            if kind is not None:
                await until(f"{deed} is told", lambda deed=deed, kind=kind: told(daemon, session[deed], kind), 60)
                if kind in LIVES_ON:
                    continue
                await until(f"{deed} is in the tree", lambda d=deed, k=kind: shown(daemon, shards[d], k), 60)
                assert f"shard-{shards[deed]}: the connector is ended, {kind}: " in daemon.log
        peaks = {deed: await host_peak(daemon, number) for deed, number in shards.items()}
        assert max(peaks.values()) < peaks["noisy"] + ROOM, peaks
        assert await daemon.marks(*before) == before
        for name in ("fleet", *(f"shard-{number}" for number in shards.values())):
            assert (await daemon.node(name, "supervisor"))["restarts"] == 0, name  # nobody gave up
        # the programs are mended: all come back by themselves
        config["connectors"]["external"]["options"]["deeds"] = {}
        await daemon.reload()
        for id in session.values():
            await daemon.until_status(id, "connected", 90)
        assert await daemon.marks(*before) == before
        assert (await daemon.stop())[0] == 0


async def host_peak(daemon: Daemon, shard: int) -> int:
    """Of a shard's host, as it is now."""
    node = await daemon.node(f"shard-{shard}", "supervisor")
    return max(peak(child["pid"] or 0) for child in node["children"] if child["kind"] == "connector-host")


async def told(daemon: Daemon, session: str, kind: str) -> bool:
    """Whether the status of a session says what its connector did."""
    status = await daemon.status(session)
    cause = status["statusMetadata"]["cause"]
    if cause is None or cause["name"] != "connector_faulty":
        return False
    text = json.dumps(status["statusMetadata"])
    return kind in text and bool(cause["remedy"])


async def shown(daemon: Daemon, shard: int, kind: str) -> bool:
    """Whether the supervision tree says so, too."""
    return f'"why": "{kind}: ' in json.dumps(await daemon.tree())
