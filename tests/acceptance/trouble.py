"""A client of the API that does not mind its daemon being killed, and what kills its parts."""

import os
import signal
import sqlite3
from contextlib import closing, suppress
from typing import Any

import aiohttp
import psutil

from tests.fixtures_daemon import Daemon, until
from tests.fixtures_processes import nodes

ARRIVED = {"acknowledged", "delivered", "read"}
AWAY = frozenset({503, 504})
"""Answers of a daemon of which a part is being restarted."""


async def ask(daemon: Daemon, method: str, path: str, **options: Any) -> tuple[int, Any] | None:
    """One request; None while the daemon or a part of it is away: the caller asks again."""
    try:
        answer = await daemon.call(method, path, **options)
    except (aiohttp.ClientError, AssertionError, RuntimeError):
        return None  # the daemon is being restarted
    return None if answer[0] in AWAY else answer


async def insist(daemon: Daemon, method: str, path: str, *expected: int, **options: Any) -> tuple[int, Any]:
    """Asks until there is an answer, which must be one of the expected."""

    async def answered() -> tuple[int, Any] | None:
        return await ask(daemon, method, path, **options)

    status, body = await until(f"{method} {path} is answered", answered, 60)
    assert status in expected, (method, path, status, body)
    return status, body


async def accept(daemon: Daemon, session: str, id: str, to: str, text: str) -> dict[str, Any]:
    """Sends a text; repeated until it is accepted: the id makes that harmless."""
    body = {"id": id, "to": to, "text": text, "wait": "0s"}
    _, answer = await insist(daemon, "POST", f"/api/sessions/{session}/messages", 200, 202, json=body)
    return dict(answer)


async def arrived(daemon: Daemon, session: str, id: str, states: set[str] | None = None) -> dict[str, Any]:
    """Waits until the server has a text, or it is in one of the states, and returns it as it is then."""
    wanted, last = states or ARRIVED, dict[str, Any]()

    async def there() -> bool:
        last.update((await insist(daemon, "GET", f"/api/sessions/{session}/messages/{id}", 200))[1])
        assert last["state"] != "failed", last
        return last["state"] in wanted

    await until(f"{session}'s {id} arrived", there, 90)
    return last


def events(daemon: Daemon, type: str) -> list[tuple[str, str]]:
    """(session, messageId) of all events of a type of the first shard, in their order."""
    query = "SELECT session, json_extract(data, '$.messageId') FROM outbox WHERE type = ? ORDER BY seq"
    with closing(sqlite3.connect(f"file:{daemon.state_dir}/shard-0.db?mode=ro", uri=True)) as conn:
        return [tuple(row) for row in conn.execute(query, (type,))]


# Kills.  Each returns whether there was somebody to be killed.


async def kill(daemon: Daemon, id: str) -> bool:
    """The process of a node of the tree, if it runs at this moment."""
    answer = await ask(daemon, "GET", "/api/supervision")
    pids = [] if answer is None else [node["pid"] for node in nodes(answer[1]) if node["id"] == id and node["pid"]]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
    return False


async def kill_main(daemon: Daemon) -> bool:
    """The daemon's first process; what is below it goes with it, and it is started again."""
    everything = daemon.processes()
    assert daemon.process is not None
    daemon.process.kill()
    await daemon.process.wait()
    await until("nothing is left", lambda: not any(runs(process) for process in everything), 10)
    await daemon.start()
    return True


def runs(process: psutil.Process) -> bool:
    """Whether it still executes."""
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


VICTIMS = {"bridge": "shard-0/connector", "host": "host", "vault": "vault"}
"""Names of the infrastructure here -> ids in the tree."""


async def kill_one(daemon: Daemon, victim: str) -> bool:
    """Main, a part of the infrastructure, or a session by its id."""
    if victim == "main":
        return await kill_main(daemon)
    return await kill(daemon, VICTIMS.get(victim, victim))
