"""The audit log over the API and in api.db: nothing is changed or shown without an entry, and none fills the disk."""

import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.events import EventType
from actors.store import intervention_queries, outbox
from actors.store.audit_queries import AuditFilter, add_audit, prune_audit
from actors.store.engine import Database, open_reader, open_writer
from actors.store.migrate import upgrade
from actors.store.records import AuditEntry, NewEvent
from actors.store.tables import Kind
from daemon.api import Role
from daemon.api.routes import ROUTES
from daemon.audit.deeds import Caller, Deed, healing
from daemon.audit.log import REFUSALS_BURST, SHOWN_AGAIN, AuditLog
from daemon.interventions import KEEP_HOURS, Interventions
from tests.fixtures_api import CheckedClient
from tests.memory_backend import MemoryBackend

pytestmark = pytest.mark.integration

DATA = {"sendMessage"}
"""A message is data, kept with its state; it is not in the audit log."""
SEES_ONLY = {"getMessage", "getAudit", "getInterventions"}

# --- over the API


def test_every_route_that_changes_or_reveals_something_is_audited() -> None:
    for route in ROUTES:
        reveals = route.role is not None and route.role > Role.VIEWER
        wanted = (route.method != "GET" or reveals) and route.operation not in DATA | SEES_ONLY
        assert (route.audited is not None) == wanted, route.operation
    actions = [route.audited.action for route in ROUTES if route.audited]
    assert len(set(actions)) == len(actions)


async def test_who_from_where_what_and_how_it_went(api: CheckedClient, memory: MemoryBackend) -> None:
    await api("POST", "/api/sessions", Role.OPERATOR, json={"id": "made-1", "connector": "simulator"})
    await api("POST", "/api/sessions", Role.OPERATOR, json={"id": "made-1", "connector": "simulator"})
    await api("PATCH", "/api/sessions/made-1", json={"labels": {"call": "+1 555 010 0189"}, "enabled": False})
    await api("POST", "/api/sessions/made-1/start")
    await api("POST", "/api/whatsapp-status/opens-1/reconnect")
    await api("POST", "/api/sessions/unpaired-1/pairing-code", json={"phone": "15550100189"})
    await api("GET", "/api/sessions/unpaired-1/pairing")
    await api("POST", "/api/sessions/opens-1/logout", Role.OPERATOR)
    await api("DELETE", "/api/sessions/locked-1?purge=true", Role.OPERATOR)
    await api("POST", "/api/sessions/15550100189/stop")
    await api("DELETE", "/api/sessions/made-1")
    answer = await api("GET", "/api/audit")
    entries = answer.json["entries"][::-1]
    assert [(e["who"], e["action"], e["target"], e["outcome"]) for e in entries] == [
        ("operator", "session.add", "made-1", "done"),
        ("operator", "session.add", "made-1", "conflict"),
        ("admin", "session.change", "made-1", "done"),
        ("admin", "session.start", "made-1", "done"),
        ("admin", "session.reconnect", "opens-1", "done"),
        ("admin", "session.pairing_code", "unpaired-1", "done"),
        ("admin", "session.pairing", "unpaired-1", "done"),
        ("operator", "session.logout", "opens-1", "forbidden"),
        ("operator", "session.remove", "locked-1", "forbidden"),
        ("admin", "session.stop", "?", "unknown_session"),
        ("admin", "session.remove", "made-1", "done"),
    ]
    assert {e["remote"] for e in entries} == {"127.0.0.1"}
    assert {e["role"] for e in entries} == {"operator", "admin"}
    assert entries[2]["detail"] == {"labels": {"call": "+1555•••89"}, "enabled": False}
    assert entries[4]["detail"].keys() == {"operation"}
    assert entries[5]["detail"] == {"phone": "1555•••89"}
    assert "15550100189" not in answer.content.decode()
    # what only looks, and what is data, is not there
    before = len(memory.accounts.trail.entries)
    await api("POST", "/api/sessions/opens-1/messages", json={"to": "15550100189", "text": "hello", "wait": "0s"})
    await api("GET", "/api/sessions")
    assert len(memory.accounts.trail.entries) == before


async def test_pages_and_filters(api: CheckedClient) -> None:
    for _ in range(3):
        await api("POST", "/api/sessions/opens-1/stop")
        await api("POST", "/api/sessions/opens-1/start", Role.OPERATOR)
    page = (await api("GET", "/api/audit?limit=4")).json
    rest = (await api("GET", f"/api/audit?limit=4&cursor={page['nextCursor']}")).json
    assert [e["number"] for e in page["entries"] + rest["entries"]] == [6, 5, 4, 3, 2, 1]
    assert rest["nextCursor"] is None
    assert len((await api("GET", "/api/audit?who=operator")).json["entries"]) == 3
    assert len((await api("GET", "/api/audit?action=session.stop")).json["entries"]) == 3
    assert len((await api("GET", "/api/audit?action=session")).json["entries"]) == 6
    assert (await api("GET", "/api/audit?target=nobody")).json["entries"] == []
    assert (await api("GET", "/api/audit?since=2100-01-01T00:00:00Z")).json["entries"] == []
    assert len((await api("GET", "/api/audit?until=2100-01-01T00:00:00%2B01:00")).json["entries"]) == 6
    for wrong in ("since=yesterday", "since=2026-01-31T08:15:30", "limit=0", "cursor=x", "action=A", "who="):
        assert (await api("GET", f"/api/audit?{wrong}")).status == 422
    assert (await api("GET", "/api/audit", Role.OPERATOR)).status == 403


async def test_nothing_is_done_that_can_not_be_entered(api: CheckedClient, memory: MemoryBackend) -> None:
    memory.accounts.trail.full = True
    answer = await api("POST", "/api/sessions/opens-1/stop")
    assert (answer.status, answer.json["type"]) == (507, "/problems/storage_full")
    assert answer.headers["Retry-After"]
    assert memory.live("opens-1").state == "open"


async def test_interventions(api: CheckedClient, memory: MemoryBackend) -> None:
    await api("POST", "/api/sessions/opens-1/stop")
    await api("POST", "/api/sessions/opens-1/start")
    memory.accounts.counts["automatic", "reconnect"] = 18
    found = (await api("GET", "/api/interventions?window=7d", Role.VIEWER)).json
    assert found["manual"] == {"start": 1, "stop": 1}
    assert (found["manualTotal"], found["automaticTotal"], found["automaticShare"]) == (2, 18, 0.9)
    for wrong in ("30m", "32d", "24", "1w"):
        assert (await api("GET", f"/api/interventions?window={wrong}")).status == 422


def test_only_a_later_pairing_heals() -> None:
    assert healing("session.pairing", {}, paired_before=False) is None
    assert healing("session.pairing_code", {}, paired_before=True) == "pair"
    assert healing("session.change", {"enabled": False}, paired_before=True) == "stop"
    assert healing("session.change", {"labels": {}}, paired_before=True) is None
    assert healing("session.add", {}, paired_before=False) is None


# --- in api.db


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    upgrade(tmp_path / "api.db", Kind.API)
    async with await open_writer(tmp_path / "api.db") as database:
        yield database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(database: Database, clock: Clock) -> AuditLog:
    return AuditLog(database, Interventions(database), 400 * 86400.0, clock)


def deed(action: str = "session.stop", heals: str | None = "stop", who: str = "ops") -> Deed:
    return Deed(Caller(who, "operator", "192.0.2.7"), action, "a", {"n": 1}, heals)


async def outcomes(log: AuditLog) -> list[tuple[str, str]]:
    return [(entry.action, entry.outcome) for _, entry in await log.page(AuditFilter(), 1000, None)]


async def test_an_entry_is_there_before_and_knows_the_end(log: AuditLog, clock: Clock) -> None:
    number = await log.begin(deed())
    assert await log.page(AuditFilter(), 10, None) == [
        (number, AuditEntry(clock.now, "ops", "session.stop", "a", {"n": 1}, "operator", "192.0.2.7", "begun"))
    ]
    await log.finish(number, deed(), "done")
    assert await outcomes(log) == [("session.stop", "done")]
    assert log._interventions.totals == {("manual", "stop"): 1}
    await log.finish(await log.begin(deed()), deed(), "timeout")
    assert log._interventions.totals == {("manual", "stop"): 1}


async def test_refusals_do_not_fill_the_disk(log: AuditLog, clock: Clock) -> None:
    for _ in range(50):
        await log.refused(deed(), "forbidden")
        await log.finish(await log.begin(deed()), deed(), "conflict")
    assert len(await outcomes(log)) == REFUSALS_BURST
    await log.refused(deed(who="another"), "forbidden")  # crowds out nobody
    assert len(await outcomes(log)) == REFUSALS_BURST + 1
    clock.now += 60
    await log.refused(deed(), "forbidden")
    newest = (await log.page(AuditFilter(), 1, None))[0][1]
    assert newest.detail == {"n": 1, "unrecorded": 80}
    await log.finish(await log.begin(deed()), deed(), "timeout")  # it may have happened: always there
    assert (await outcomes(log))[0] == ("session.stop", "timeout")


async def test_a_code_that_is_asked_for_again_and_again_is_one_entry(log: AuditLog, clock: Clock) -> None:
    shown = deed("session.pairing", "pair")
    for _ in range(100):
        await log.finish(await log.begin(shown), shown, "done")
        clock.now += 2
    assert await outcomes(log) == [("session.pairing", "done")]
    assert log._interventions.totals == {("manual", "pair"): 1}
    clock.now += SHOWN_AGAIN
    await log.finish(await log.begin(shown), shown, "timeout")  # nothing was shown: the next is entered
    await log.finish(await log.begin(shown), shown, "done")
    assert await outcomes(log) == [("session.pairing", x) for x in ("done", "timeout", "done")]


async def test_old_entries_are_pruned_in_batches(log: AuditLog, database: Database) -> None:
    async with database.begin() as conn:
        for at in range(25):
            await add_audit(conn, AuditEntry(float(at), "cli", "session.add", f"s{at}"))
    assert await prune_audit(database, 20.0, batch=8) == 20
    assert [entry.at for _, entry in await log.page(AuditFilter(), 100, None)] == [24.0, 23.0, 22.0, 21.0, 20.0]


def tree(pid: int, **restarts: int) -> dict[str, object]:
    return {"pid": pid, "restartsByKind": restarts}


async def test_restarts_are_counted_over_every_restart(database: Database) -> None:
    counts = Interventions(database)
    await counts.load()
    key = ("automatic", "restart_session")
    for told, total in ((tree(7, session=2), 2), (tree(7, session=2), 2), (tree(7, session=5), 5)):
        await counts.tree(told, 1000.0)
        assert counts.totals[key] == total
    await counts.tree({"pid": 7, "restartsByKind": None}, 1000.0)  # the root did not answer
    counts.note("automatic", "restart_system")
    await counts.tree(tree(8, session=1), 1000.0)  # another root
    assert counts.totals == {key: 6, ("automatic", "restart_system"): 1}
    again = Interventions(database)  # another main, and with it another root
    await again.load()
    assert again.totals == counts.totals
    await again.tree(tree(9, session=1), 1000.0)
    assert again.totals[key] == 7


async def test_attempts_of_recovery_count_once_each(database: Database, tmp_path: Path) -> None:
    upgrade(tmp_path / "recovery.db", Kind.RECOVERY)
    key = ("automatic", "reconnect")

    async def happens(*types: EventType) -> None:
        async with writer.begin() as conn:
            await outbox.append(conn, [NewEvent(1000.0, type, "a") for type in types])

    async with await open_writer(tmp_path / "recovery.db") as writer, await open_reader(writer.path) as reader:
        await happens(EventType.RECOVERY_STARTED, EventType.RECOVERY_ATTEMPT, EventType.RECOVERY_ATTEMPT)
        first = Interventions(database)
        await first.load()
        for _ in range(2):
            await first.recovered(reader)
            assert first.totals == {key: 2}
        await happens(EventType.RECOVERY_ATTEMPT)
        await outbox.prune(writer, 2000.0, upto=3)
        second = Interventions(database)
        await second.load()
        await second.recovered(reader)
        assert second.totals == {key: 3}
    (tmp_path / "recovery.db").unlink()
    upgrade(tmp_path / "recovery.db", Kind.RECOVERY)
    async with await open_writer(tmp_path / "recovery.db") as writer, await open_reader(writer.path) as reader:
        await happens(EventType.RECOVERY_ATTEMPT)
        for _ in range(2):
            await second.recovered(reader)
            assert second.totals == {key: 4}, "the ledger began anew, and its numbers with it"


async def test_windows_and_totals(database: Database) -> None:
    counts = Interventions(database)
    now = time.time()
    for hours in (0, 1, 30, 24 * 40):
        async with counts.counting({("manual", "stop"): 1}, now - hours * 3600):
            pass
    assert await database.run(lambda conn: intervention_queries.total(conn, now - 3600)) == {("manual", "stop"): 2}
    await counts.fold(now)
    await counts.fold(now)
    kept = now - KEEP_HOURS
    assert await database.run(lambda conn: intervention_queries.total(conn, kept)) == {("manual", "stop"): 3}
    async with counts.counting({("manual", "start"): 1}, now):
        pass
    assert counts.totals == Counter({("manual", "stop"): 4, ("manual", "start"): 1})
