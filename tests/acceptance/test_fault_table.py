"""Every row of the table of faults, with the real client: the cause, its remedy, and what is done about it.

All rows happen at once, each to a session of its own, in one daemon and one connector process.
"""

import asyncio
import json
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.fault_rows import CLOSED, DIALS, FEW_TRIES, ROWS, Row, Steps
from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.labclient import Json, Lab
from tests.provision import linked, provision

pytestmark = pytest.mark.acceptance

CALM = ("calm-1", "calm-2")
"""Sessions to which nothing happens."""
TWINS = ("twin-1", "twin-2")
"""Two sessions with one auth state."""
DIALLERS = tuple(f"dial-{number}" for number in range(len(DIALS)))
OTHERS = (*CALM, *TWINS, *DIALLERS, "cut-off", "short-ban", "logout", "unlinked", "suspect")
PATIENCE = 60.0
LOOK = 0.1


def phones(ids: list[str]) -> dict[str, str]:
    """A number for each session."""
    return {id: f"1555020{number:04d}" for number, id in enumerate(ids)}


def configuration(lab: Lab, ids: list[str]) -> dict[str, Any]:
    """Deadlines short enough to be waited for, and long enough for a machine that is busy."""
    return {
        "sessions": [{"id": id, "connector": "baileys"} for id in ids],
        "recovery": {"backoff": {"min": "300ms"}},
        "http": {"requests_per_second": 500},
        "connectors": {
            "baileys": {
                "websocket_url": lab.ws_url,
                "noise_root_key": lab.root_key,
                "heartbeat": "4s",
                "heartbeat_timeout": "4s",
                "open_deadline": "4s",
                "connects_per_second": 200,
                "sessions_per_host": 50,
            }
        },
    }


@dataclass
class Fleet:
    """The lab, the daemon, and the statuses of all its sessions as of the last look."""

    lab: Lab
    daemon: Daemon
    phones: dict[str, str]
    statuses: dict[str, Any] = field(default_factory=dict)

    async def watch(self) -> None:
        """Looks for ever."""
        while True:
            page = await self.daemon.get("/api/whatsapp-status/bulk?limit=1000")
            self.statuses = {status["sessionId"]: status for status in page["sessions"]}
            await asyncio.sleep(LOOK)

    async def until_state(self, id: str, state: str, cause: str | None = None) -> Json:
        """Waits until a session is shown in a state, with a cause."""

        def there() -> Json | None:
            status = self.statuses.get(id)
            if status is None or status["state"] != state:
                return None
            shown = status["statusMetadata"]["cause"]
            return status if cause is None or (shown and shown["name"] == cause) else None

        found = await until(f"{id} is {state} for {cause}: {self.path(id)}", there, PATIENCE, LOOK)
        assert isinstance(found, dict)
        return found

    def transitions(self, id: str, after: int = 0) -> list[tuple[float, str, str | None]]:
        """(time, state, cause) of the stored transitions of a session, the oldest first, behind an event."""
        found: list[tuple[float, str, str | None]] = []
        for file in sorted(self.daemon.state_dir.glob("shard-*.db")):
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as conn:
                query = (
                    "SELECT at, data FROM outbox WHERE session = ? AND type = 'session.state' AND seq > ? ORDER BY seq"
                )
                rows = [(at, json.loads(data)) for at, data in conn.execute(query, (id, after))]
            found += [(at, data["state"], data["cause"]) for at, data in rows]
        return found

    def path(self, id: str, after: int = 0) -> Steps:
        """The same without the times."""
        return [(state, cause) for _, state, cause in self.transitions(id, after)]

    def mark(self) -> int:
        """The last event so far of the first shard."""
        with closing(sqlite3.connect(f"file:{self.daemon.state_dir}/shard-0.db?mode=ro", uri=True)) as conn:
            return int(conn.execute("SELECT max(seq) FROM outbox").fetchone()[0])

    async def logins(self, id: str) -> int:
        """Logins that a session tried, refused ones included."""
        tried = await self.lab.journal("login", "login_failure")
        return sum(entry.data.get("account") == self.phones[id] for entry in tried)


@asynccontextmanager
async def open_fleet(folder: Path, ids: list[str], **shared: str) -> AsyncIterator[Fleet]:
    """A daemon whose sessions are all open; ``shared`` names sessions that have the auth state of another."""
    numbers = phones(ids)
    async with Lab(defaults={"preKeyCount": 100}) as lab:
        auth = await linked(lab, {id: phone for id, phone in numbers.items() if id not in shared})
        auth |= {id: auth[other] for id, other in shared.items()}
        numbers |= {id: numbers[other] for id, other in shared.items()}
        await provision(folder / "var", auth)
        async with running_daemon(folder, configuration(lab, ids)) as daemon:
            fleet = Fleet(lab, daemon, numbers)
            watching = asyncio.create_task(fleet.watch())
            try:
                await asyncio.gather(*(fleet.until_state(id, "open") for id in ids if id not in TWINS))
                yield fleet
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


async def inject(fleet: Fleet, row: Row) -> None:
    phone = fleet.phones[row.id]
    # What is cut off is not let in again until it was looked at.
    await fleet.lab.account(phone, policy={"holdLogin": True}, login_failure=row.refusal or None)
    assert await fleet.lab.fault(**(row.fault or {"kind": "reset"}), target=phone) == [f"{phone}:1"]


async def happens(fleet: Fleet, row: Row) -> int | None:
    """One row from its fault on; returns the logins that a session which rests has tried."""
    mark = fleet.mark()
    await inject(fleet, row)
    shown_in = "connecting" if row.after == "heals" else row.state
    status = await fleet.until_state(row.id, shown_in, row.cause)
    cause = status["statusMetadata"]["cause"]
    assert cause["code"] == row.code
    assert row.remedy in cause["remedy"]
    assert row.detail.items() <= cause["detail"].items()
    assert status["isBlocked"] is row.blocked
    until_time = status["statusMetadata"]["until"]
    if row.after == "heals":
        await fleet.lab.account(fleet.phones[row.id], policy={"holdLogin": False})
        await fleet.until_state(row.id, "open")
    elif row.after == "few_tries":
        await until(f"{row.id} tries again", lambda: len(fleet.path(row.id, mark)) >= len(row.path), PATIENCE, LOOK)
    elif "expire" in row.detail:
        assert float(row.detail["expire"]) - PATIENCE < seconds(until_time) - time.time() <= float(row.detail["expire"])
    path = fleet.path(row.id, mark)
    assert path[: len(row.path)] == row.path
    if row.after == "few_tries":  # its further attempts have a test of their own
        assert (await fleet.daemon.call("POST", f"/api/sessions/{row.id}/stop"))[0] in {200, 202, 204}
    else:
        assert len(path) == len(row.path)
    return await fleet.logins(row.id) if row.after == "rests" else None


async def cut_off(fleet: Fleet) -> None:
    """Nobody listens."""
    mark = fleet.mark()
    await fleet.lab.listen(on=False)
    await fleet.lab.fault("reset", target=fleet.phones["cut-off"])
    status = await fleet.until_state("cut-off", "waiting", "network_unreachable")
    assert status["statusMetadata"]["cause"]["detail"]["errno"] == "ECONNREFUSED"
    assert "check network" in status["statusMetadata"]["cause"]["remedy"]
    await fleet.lab.listen(on=True)
    await fleet.until_state("cut-off", "open")
    path = fleet.path("cut-off", mark)
    assert path[:2] == [("waiting", CLOSED), ("connecting", CLOSED)]
    assert set(path[2:-1]) == {("waiting", "network_unreachable"), ("connecting", "network_unreachable")}


async def dialling(fleet: Fleet) -> None:
    """One session for each rule; who meets which is not known, but each rule is met once."""
    mark = fleet.mark()
    await fleet.lab.connect_rules(*({**dial.rule, "times": 1} for dial in DIALS))
    hit = await asyncio.gather(*(fleet.lab.fault("reset", target=fleet.phones[id]) for id in DIALLERS))
    assert all(hit)

    async def met() -> bool:
        return not (await fleet.lab.state())["rules"]

    await until("each rule was met", met, PATIENCE, LOOK)

    def troubles() -> list[str | None]:
        waits = [step for id in DIALLERS for step in fleet.path(id, mark) if step[0] == "waiting"]
        return [cause for _, cause in waits if cause != CLOSED]

    await until("each was told", lambda: len(troubles()) >= len(DIALS), PATIENCE, LOOK)
    one_of = {cause: "/".join(sorted(dial.causes)) for dial in DIALS for cause in dial.causes}
    found = Counter(one_of.get(str(cause), str(cause)) for cause in troubles())
    assert found == Counter("/".join(sorted(dial.causes)) for dial in DIALS)


async def healed(fleet: Fleet) -> None:
    """Who met a rule is open again by itself, and not too soon where the server sees too much of us."""
    for id in DIALLERS:
        await fleet.until_state(id, "open")
    shy = {cause for dial in DIALS if dial.shy for cause in dial.causes}
    waits = [
        later - since
        for id in DIALLERS
        for (since, state, cause), (later, _, _) in pairwise(fleet.transitions(id))
        if state == "waiting" and cause in shy
    ]
    assert len(waits) == len(shy)
    assert min(waits) >= 10


async def short_ban(fleet: Fleet) -> None:
    """A temporary ban that ends: one login, by itself."""
    mark, phone = fleet.mark(), fleet.phones["short-ban"]
    await fleet.lab.account(phone, login_failure={"reason": 402, "attrs": {"code": "104", "expire": "2"}, "times": 1})
    await fleet.lab.fault("reset", target=phone)
    status = await fleet.until_state("short-ban", "blocked", "temporary_ban")
    assert status["statusMetadata"]["cause"]["detail"]["code"] == "104"
    await fleet.until_state("short-ban", "open")
    assert [state for state, _ in fleet.path("short-ban", mark)][2:] == ["blocked", "connecting", "open"]


async def logout(fleet: Fleet) -> None:
    """The only 401 of our own."""
    assert (await fleet.daemon.call("POST", "/api/sessions/logout/logout"))[0] in {200, 202, 204}
    status = await fleet.until_state("logout", "pairing", "intentional_logout")
    assert "wavigil pair" in status["statusMetadata"]["cause"]["remedy"]
    await fleet.lab.wait_for("unlinked", account=fleet.phones["logout"], cause="logout")


async def unlinked(fleet: Fleet) -> None:
    """The owner removes the device on the phone."""
    await fleet.lab.unlink(fleet.phones["unlinked"], 1)
    status = await fleet.until_state("unlinked", "halted", "device_removed")
    assert "Pair the device again" in status["statusMetadata"]["cause"]["remedy"]


async def suspect(fleet: Fleet) -> None:
    """The auth state is suspected after five of them, and kept: the session heals when the server is well again."""
    phone = fleet.phones["suspect"]
    await fleet.lab.account(phone, login_failure={"reason": 500})
    await fleet.lab.fault("reset", target=phone)

    def suspected() -> bool:
        cause = fleet.statuses["suspect"]["statusMetadata"]["cause"]
        return bool(cause and cause["name"] == "bad_session" and "probably damaged" in cause["remedy"])

    await until("the auth state is suspected", suspected, PATIENCE, LOOK)
    assert fleet.path("suspect").count(("waiting", "bad_session")) >= 4
    await fleet.lab.account(phone, login_failure="none")
    await fleet.until_state("suspect", "open")


async def replaced(fleet: Fleet) -> None:
    """Of two owners of one auth state the later has it, and the earlier does not fight for it."""

    def one_halted() -> set[str]:
        return {id for id in TWINS if fleet.statuses[id]["state"] == "halted"}

    [loser] = await until("a twin is halted", one_halted, PATIENCE, LOOK)
    [winner] = set(TWINS) - {loser}
    await fleet.until_state(loser, "halted", "connection_replaced")
    await fleet.until_state(winner, "open")
    assert await fleet.logins(winner) == 2


async def every_row_once(folder: Path) -> None:
    ids = [*OTHERS, *(row.id for row in ROWS)]
    async with open_fleet(folder, ids, **{TWINS[1]: TWINS[0]}) as fleet:
        await replaced(fleet)
        await cut_off(fleet)
        await dialling(fleet)
        rows = asyncio.gather(*(happens(fleet, row) for row in ROWS))
        await asyncio.gather(rows, short_ban(fleet), logout(fleet), unlinked(fleet), suspect(fleet), healed(fleet))
        for row, tried in zip(ROWS, await rows, strict=True):
            assert tried is None or await fleet.logins(row.id) == tried, f"{row.id} tries again"
        sender, recipient = CALM
        body = {"to": fleet.phones[recipient], "text": "undisturbed", "wait": "20s"}
        status, sent = await fleet.daemon.call("POST", f"/api/sessions/{sender}/messages", json=body)
        assert status == 200, sent
        assert [await fleet.logins(id) for id in CALM] == [1, 1]


@pytest.mark.timeout(180)
async def test_every_row_once(short_tmp: Path) -> None:
    await every_row_once(short_tmp)


@pytest.mark.full
@pytest.mark.timeout(3600)
async def test_every_row_twenty_times(short_tmp: Path) -> None:
    for number in range(20):
        folder = short_tmp / str(number)
        folder.mkdir()
        await every_row_once(folder)


@pytest.mark.full
@pytest.mark.timeout(600)
async def test_few_tries_are_few(short_tmp: Path) -> None:
    """Twenty sessions for each refusal that may be permanent: three more logins, then nothing."""
    of = {f"{row.id}-{number}": row for row in FEW_TRIES for number in range(20)}
    async with open_fleet(short_tmp, list(of)) as fleet:
        for id, row in of.items():
            await fleet.lab.account(fleet.phones[id], login_failure=row.refusal)
            await fleet.lab.fault("reset", target=fleet.phones[id])

        async def ends(id: str, row: Row) -> None:
            def halted() -> bool:
                return bool(fleet.statuses[id]["state"] == "halted")

            await until(f"{id} is halted", halted, 300, LOOK)
            assert fleet.statuses[id]["statusMetadata"]["cause"]["name"] == row.cause
            assert [state for state, cause in fleet.path(id) if cause == row.cause].count("waiting") == 3

        await asyncio.gather(*(ends(id, row) for id, row in of.items()))
        refused = Counter(entry.data["account"] for entry in await fleet.lab.journal("login_failure"))
        for id, row in of.items():
            # A refusal that is cut off on its way is another trouble, and has its own attempt.
            others = [cause for state, cause in fleet.path(id) if state == "waiting" and cause != row.cause]
            assert 4 <= refused[fleet.phones[id]] <= 4 + len(others) - 1, (id, fleet.path(id))
