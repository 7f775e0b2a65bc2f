"""Migrations, engines and queries on real SQLite files."""

import asyncio
import dataclasses
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, insert, select

from actors.events import EventType
from actors.store import api_queries, audit_queries, cursors, health_queries, outbox, recovery_queries, shard_queries
from actors.store.direct import Statements
from actors.store.engine import Database, open_reader, open_writer, sync_reader, sync_writer
from actors.store.errors import SchemaTooNew, StoreError, StoreReason
from actors.store.group import GroupCommit
from actors.store.migrate import APPLICATION_ID, config_for, known_revision, upgrade
from actors.store.prepared import Prepared, fetch
from actors.store.records import (
    Action,
    AuditEntry,
    Desired,
    Episode,
    NewEvent,
    Score,
    SendProgress,
    SessionState,
    StoredSession,
)
from actors.store.tables import METADATA, Kind, meta

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("kind", Kind)
def test_migrations_make_exactly_the_tables(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "a file with % and ?.db"
    assert upgrade(path, kind) == upgrade(path, kind) == known_revision(kind)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    engine = sync_reader(path)
    with engine.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), METADATA[kind]) == []
    engine.dispose()
    command.history(config_for(kind))


def _with_a_damaged(folder: Path, table: str) -> Path:
    path = folder / f"health-{table}.db"
    upgrade(path, Kind.HEALTH)
    with closing(sqlite3.connect(path)) as conn:
        page = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    content = bytearray(path.read_bytes())
    content[4096 * (page - 1) : 4096 * page] = b"\xff" * 4096
    path.write_bytes(content)
    return path


def test_rights_of_others_are_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "api.db"
    upgrade(path, Kind.API)
    path.chmod(0o644)
    upgrade(path, Kind.API)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def refused(path: Path, kind: Kind) -> StoreError:
    """What `upgrade` raises; the file must be as it was."""
    before = (path.read_bytes(), path.stat().st_mode) if path.is_file() else None
    with pytest.raises(StoreError) as caught:
        upgrade(path, kind)
    assert before == ((path.read_bytes(), path.stat().st_mode) if path.is_file() else None)
    assert str(path) in str(caught.value)
    return caught.value


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "api.db"
    upgrade(path, Kind.API)
    with sqlite3.connect(path) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '0042'")
    conn.close()
    error = refused(path, Kind.API)
    assert isinstance(error, SchemaTooNew)
    assert (error.found, error.known) == ("0042", "0006")


def test_foreign_and_damaged_files_are_refused(tmp_path: Path) -> None:
    text_file = tmp_path / "text.db"
    text_file.write_text("this is not a database at all\n" * 200)
    assert refused(text_file, Kind.API).reason is StoreReason.FOREIGN

    other = tmp_path / "other.db"
    with sqlite3.connect(other) as conn:
        conn.execute("CREATE TABLE theirs (a)")
    conn.close()
    assert "not made by wavigil" in str(refused(other, Kind.API))

    health = tmp_path / "health.db"
    upgrade(health, Kind.HEALTH)
    assert "holds the health database, not the vault database" in str(refused(health, Kind.VAULT))

    damaged = tmp_path / "damaged.db"
    upgrade(damaged, Kind.API)
    content = bytearray(damaged.read_bytes())
    content[4096 * 2 : 4096 * 6] = b"\xff" * 4096 * 4
    damaged.write_bytes(content)
    assert refused(damaged, Kind.API).reason is StoreReason.CORRUPT
    assert refused(_with_a_damaged(tmp_path, "scores"), Kind.HEALTH).reason is StoreReason.CORRUPT
    # nothing depends on the past: it is not read through at each start
    upgrade(_with_a_damaged(tmp_path, "history_raw"), Kind.HEALTH)

    assert refused(tmp_path, Kind.API).reason is StoreReason.FOREIGN
    assert refused(tmp_path / "no" / "where.db", Kind.API).reason is StoreReason.IO


def test_an_interrupted_creation_is_finished(tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()
    assert upgrade(empty, Kind.API) == "0006"
    begun = tmp_path / "begun.db"
    with sqlite3.connect(begun) as conn:
        conn.execute("PRAGMA journal_mode=WAL")
    conn.close()
    assert begun.stat().st_size > 0
    assert upgrade(begun, Kind.API) == "0006"


@pytest.fixture
async def api(tmp_path: Path) -> Database:
    upgrade(tmp_path / "api.db", Kind.API)
    return await open_writer(tmp_path / "api.db")


async def test_opening_what_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    for opening in (open_reader, open_writer):
        with pytest.raises(StoreError) as caught:
            await opening(tmp_path / "none.db")
        assert caught.value.reason is StoreReason.MISSING
    (tmp_path / "text.db").write_text("x" * 5000)
    with pytest.raises(StoreError) as caught:
        await open_reader(tmp_path / "text.db")
    assert caught.value.reason is StoreReason.FOREIGN


async def test_writers_are_durable_and_readers_cannot_write(api: Database) -> None:
    async with api, api.begin() as conn:
        pragmas = {
            name: (await conn.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}
    async with await open_reader(api.path) as reader:
        with pytest.raises(StoreError, match="readonly"):
            async with reader.begin() as conn:
                await api_queries.set_meta(conn, "a", "b")


async def test_tasks_take_turns_and_a_cancelled_one_leaves_nothing(api: Database) -> None:
    async with api:
        inside = asyncio.Event()

        async def hang() -> None:
            async with api.begin() as conn:
                await api_queries.set_meta(conn, "hung", "1")
                inside.set()
                await asyncio.Event().wait()

        async def count() -> int:
            async with api.begin() as conn:
                return await api_queries.next_boot(conn)

        task = asyncio.create_task(hang())
        await inside.wait()
        counting = [asyncio.create_task(count()) for _ in range(10)]
        task.cancel()
        assert sorted(await asyncio.gather(*counting)) == list(range(1, 11))
        async with api.begin() as conn:
            assert await api_queries.get_meta(conn, "hung") is None


async def test_a_task_that_is_cancelled_amid_a_statement_leaves_no_lock(api: Database) -> None:
    async def forget() -> None:
        async with api.begin() as conn:
            rows = [{"key": str(number), "value": "1"} for number in range(300)]
            await conn.execute(insert(meta).prefix_with("OR REPLACE"), rows)
            await conn.execute(delete(meta).returning(meta.c.key))

    async with api:
        ends: list[BaseException | None] = []  # whoever keeps them keeps their cursors alive
        for steps in range(40):
            task = asyncio.ensure_future(forget())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            ends += await asyncio.gather(task, return_exceptions=True)
            await api._engine.dispose()
            with closing(sqlite3.connect(api.path, timeout=0.2, isolation_level=None)) as conn:
                conn.execute("BEGIN IMMEDIATE")
        assert any(isinstance(end, asyncio.CancelledError) for end in ends)
    for thread in threading.enumerate():  # the drivers' own, which still tell this loop that they have closed
        if "connection_worker" in thread.name:
            await asyncio.to_thread(thread.join, 10)


async def number(conn: Statements) -> int:
    return int((await conn.execute(select(meta.c.value).where(meta.c.key == "n"))).scalar_one())


async def test_an_operation_is_one_transaction_among_the_others(api: Database) -> None:
    async def put(conn: Statements, value: int) -> int:
        await conn.execute(insert(meta).values(key="n", value=str(value)).prefix_with("OR REPLACE"))
        return value

    async def add(conn: Statements) -> int:
        return await put(conn, await number(conn) + 1)

    async def fail(conn: Statements) -> None:
        await put(conn, -1)
        raise KeyError("in its middle")

    async def begun() -> None:
        async with api.begin() as conn:
            await add(conn)

    async with api:
        assert await api.run(lambda conn: put(conn, 7)) == 7
        with pytest.raises(KeyError):
            await api.run(fail)
        await asyncio.gather(*(api.run(add) if turn % 2 else begun() for turn in range(20)))
        assert await api.run(add) == 28
        async with await open_reader(api.path) as reader:
            with pytest.raises(StoreError):
                await reader.run(add)
            async with reader.begin() as conn:
                assert await number(conn) == 28


async def test_an_operation_that_nobody_waits_for_any_more_leaves_nothing_half_done(api: Database) -> None:
    async def put(conn: Statements) -> None:
        for value in range(50):
            await conn.execute(insert(meta).values(key="n", value=str(value)).prefix_with("OR REPLACE"))

    async with api:
        for _ in range(10):
            task = asyncio.ensure_future(api.run(put))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with api.begin() as conn:
                await conn.execute(insert(meta).values(key="n", value="100").prefix_with("OR REPLACE"))
        assert await api.run(number) == 100


async def test_operations_go_on_over_a_connection_made_anew(api: Database) -> None:
    async def put(conn: Statements) -> None:
        await conn.execute(insert(meta).values(key="n", value="1").prefix_with("OR REPLACE"))

    async with api:
        await api.run(put)
        await api._engine.dispose()
        await api.run(put)
        assert await api.run(number) == 1


async def test_errors_do_not_quote_what_was_to_be_stored(api: Database) -> None:
    async with api:

        async def insert_twice() -> None:
            async with api.begin() as conn:
                for _ in range(2):
                    await conn.execute(meta.insert().values(key="a", value="top-secret"))

        with pytest.raises(StoreError) as caught:
            await insert_twice()
        shown = "".join(map(str, [caught.value, caught.value.__cause__]))
        assert "top-secret" not in shown
        async with api.begin() as conn:
            assert (await conn.execute(select(meta))).all() == []


async def test_the_proxy_of_a_session_is_kept(api: Database) -> None:
    async with api, api.begin() as conn:
        await api_queries.add_session(conn, StoredSession("a", "baileys", {}, 1.0, "berlin-1"))
        await api_queries.add_session(conn, StoredSession("b", "baileys", {}, 2.0))
        assert [session.proxy for session in await api_queries.load_sessions(conn)] == ["berlin-1", None]
        assert await api_queries.set_proxy(conn, "a", None)
        assert await api_queries.set_proxy(conn, "b", "oslo-1")
        assert not await api_queries.set_proxy(conn, "c", "oslo-1")
        assert [session.proxy for session in await api_queries.load_sessions(conn)] == [None, "oslo-1"]


async def test_sessions_wishes_and_placement(api: Database) -> None:
    session = StoredSession("support-1", "baileys", {"team": "support"}, 10.0)
    wish = Desired("support-1", False, 11.0, "grafana")
    async with api, api.begin() as conn:
        assert await api_queries.add_session(conn, session)
        assert not await api_queries.add_session(conn, session)
        assert await api_queries.set_labels(conn, "support-1", {})
        assert not await api_queries.set_labels(conn, "nobody", {})
        assert await api_queries.load_sessions(conn) == [dataclasses.replace(session, labels={})]
        await api_queries.set_desired(conn, dataclasses.replace(wish, enabled=True))
        await api_queries.set_desired(conn, wish)
        assert await api_queries.load_desired(conn) == {"support-1": wish}
        await api_queries.store_placement(conn, {"support-1": ("baileys", 0), "x": ("simulator", 1)})
        await api_queries.store_placement(conn, {"support-1": ("baileys", 2)})
        await api_queries.store_placement(conn, {})
        assert await api_queries.load_placement(conn) == {"support-1": ("baileys", 2), "x": ("simulator", 1)}
        assert [await api_queries.moves(conn, shard) for shard in range(3)] == [{}, {}, {"support-1": 1}]
        await api_queries.forget_placement(conn, ["x"])
        assert await api_queries.remove_session(conn, "support-1")
        assert not await api_queries.remove_session(conn, "support-1")
        assert await api_queries.load_placement(conn) == {}
        assert await api_queries.load_desired(conn) == {}


async def test_wishes_that_are_void_are_forgotten(api: Database) -> None:
    async with api, api.begin() as conn:
        for session in ("a", "b"):
            await api_queries.set_desired(conn, Desired(session, False, 1.0, "test"))
        await api_queries.forget_desired(conn, ())
        await api_queries.forget_desired(conn, ("a", "nobody"))
        assert set(await api_queries.load_desired(conn)) == {"b"}


async def test_sends_are_accepted_once_and_read_in_order(api: Database) -> None:
    async with api, api.begin() as conn:
        await api_queries.store_placement(conn, {"a": ("baileys", 1), "b": ("baileys", 2), "c": ("baileys", 1)})
        first, new = await api_queries.add_send(conn, "a", "1", "x@s.whatsapp.net", "hello", 1.0)
        assert new
        again = await api_queries.add_send(conn, "a", "1", "y@s.whatsapp.net", "other", 2.0)
        assert again == (first, False)
        second, _ = await api_queries.add_send(conn, "b", "1", "x@s.whatsapp.net", "hello", 3.0)
        third, _ = await api_queries.add_send(conn, "c", "1", "x@s.whatsapp.net", "hello", 4.0)
        assert await api_queries.new_sends(conn, 0, 1, 10) == [first, third]
        assert await api_queries.new_sends(conn, first.seq, 1, 10) == [third]
        assert await api_queries.new_sends(conn, 0, 2, 10) == [second]
        assert await api_queries.new_sends(conn, 0, 1, 1) == [first]
        assert await api_queries.find_send(conn, "a", "2") is None


async def test_audit_pages_from_the_newest(api: Database) -> None:
    entries = [AuditEntry(float(at), "cli", "session.add", f"s{at}", {"n": at}) for at in range(5)]
    async with api, api.begin() as conn:
        for entry in entries:
            await audit_queries.add_audit(conn, entry)
        newest = await audit_queries.load_audit(conn, 2)
        assert [entry for _, entry in newest] == [entries[4], entries[3]]
        rest = await audit_queries.load_audit(conn, 10, before=newest[-1][0])
        assert [entry for _, entry in rest] == entries[2::-1]


async def test_boots_are_counted_over_restarts(tmp_path: Path) -> None:
    upgrade(tmp_path / "api.db", Kind.API)
    boots = []
    for _ in range(3):
        async with await open_writer(tmp_path / "api.db") as database, database.begin() as conn:
            boots.append(await api_queries.next_boot(conn))
    assert boots == [1, 2, 3]


@pytest.fixture
async def shard(tmp_path: Path) -> Database:
    upgrade(tmp_path / "shard-0.db", Kind.SHARD)
    return await open_writer(tmp_path / "shard-0.db")


async def test_only_newer_transitions_are_stored(shard: Database) -> None:
    def state(incarnation: int, number: int, name: str) -> SessionState:
        return SessionState("a", incarnation, number, name, 5.0, "network", 0, {"previous": "x", "attempt": 2})

    reports = [(1, 1, True), (1, 2, True), (1, 2, False), (1, 1, False), (2, 1, True), (1, 9, False), (2, 2, True)]
    async with shard:
        for incarnation, number, stored in reports:
            async with shard.begin() as conn:
                assert await shard_queries.store_transition(conn, state(incarnation, number, "open")) is stored
        async with shard.begin() as conn:
            assert await shard_queries.load_state(conn, "a") == state(2, 2, "open")
            assert await shard_queries.load_states(conn) == {"a": state(2, 2, "open")}
            assert await shard_queries.load_state(conn, "b") is None
            events = await outbox.read_after(conn, 0, 100)
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert events[0].type == EventType.SESSION_STATE
    assert events[0].data == {"previous": "x", "attempt": 2, "state": "open", "cause": "network", "code": 0}


async def test_send_states_and_their_events(shard: Database) -> None:
    queued = SendProgress("a", "1", "MSG1", "x@s.whatsapp.net", "queued", 1.0)
    tried = dataclasses.replace(queued, state="sent-unconfirmed", attempts=1, updated_at=2.0)
    done = dataclasses.replace(tried, state="acknowledged", updated_at=3.0)
    async with shard, shard.begin() as conn:
        for progress in (queued, tried):
            assert await shard_queries.record_send_state(conn, progress)
        assert await shard_queries.unfinished_sends(conn, "a", 10) == [tried]
        assert await shard_queries.unfinished_sends(conn, "b", 10) == []
        assert await shard_queries.record_send_state(conn, done)
        assert not await shard_queries.record_send_state(conn, tried)
        assert await shard_queries.unfinished_sends(conn, "a", 10) == []
        assert await shard_queries.find_send_state(conn, "a", "1") == done
        assert await shard_queries.find_by_message(conn, "a", "MSG1") == done
        assert await shard_queries.find_by_message(conn, "b", "MSG1") is None
        events = await outbox.read_after(conn, 0, 10)
    assert [event.data["state"] for event in events] == ["queued", "sent-unconfirmed", "acknowledged"]
    assert events[0].type == EventType.SESSION_SEND


async def test_cursors_only_go_forward(shard: Database) -> None:
    async with shard, shard.begin() as conn:
        assert await cursors.get_cursor(conn, "sends") == 0
        for position, expected in ((5, 5), (3, 5), (9, 9)):
            await cursors.set_cursor(conn, "sends", position)
            assert await cursors.get_cursor(conn, "sends") == expected


async def test_scores(tmp_path: Path) -> None:
    upgrade(tmp_path / "health.db", Kind.HEALTH)
    score = Score("a", 90, "excellent", "connected", 1.0, {"components": {}})
    async with await open_writer(tmp_path / "health.db") as database, database.begin() as conn:
        await health_queries.store_scores(conn, [])
        await health_queries.store_scores(conn, [score, dataclasses.replace(score, session="b")])
        worse = dataclasses.replace(score, score=10, quality="critical", at=2.0)
        await health_queries.store_scores(conn, [worse])
        await health_queries.forget_score(conn, "b")
        assert await health_queries.load_scores(conn) == {"a": worse}
        event = NewEvent(2.0, EventType.HEALTH_CHANGED, "a", {"score": 10})
        await outbox.append(conn, [event])
        assert await outbox.last_seq(conn) == 1


async def test_episodes(tmp_path: Path) -> None:
    upgrade(tmp_path / "recovery.db", Kind.RECOVERY)
    async with await open_writer(tmp_path / "recovery.db") as database, database.begin() as conn:
        first = await recovery_queries.begin_episode(conn, "a", "network", "backoff", 1.0, {"k": "v"})
        second = await recovery_queries.begin_episode(conn, "b", "replaced", "halt", 2.0, {})
        await recovery_queries.update_episode(conn, first, 3, {"k": "v"})
        assert await recovery_queries.end_episode(conn, second, "stopped", 3.0)
        assert not await recovery_queries.end_episode(conn, second, "again", 4.0)
        still = Episode(first, "a", "network", "backoff", 3, 1.0, data={"k": "v"}, detected_at=1.0)
        assert await recovery_queries.open_episodes(conn) == [still]
        ended = Episode(second, "b", "replaced", "halt", 0, 2.0, 3.0, "stopped", detected_at=2.0)
        assert await recovery_queries.latest_episodes(conn, "b", 5) == [ended]


def test_episodes_of_before_are_kept_with_what_can_be_said_of_them(tmp_path: Path) -> None:
    path = tmp_path / "recovery.db"
    path.touch()
    engine = sync_writer(path)
    with engine.begin() as conn:
        conn.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID[Kind.RECOVERY]}")
        config = config_for(Kind.RECOVERY)
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
    engine.dispose()
    rows = [(1, "healed", 9.0, "back_off"), (2, "halted", 3.0, "block"), (3, None, None, "few_tries")]
    with closing(sqlite3.connect(path)) as old, old:
        for id, outcome, ended, strategy in rows:
            values = (id, "a", "unknown", strategy, 1, 2.0, ended, outcome, "{}")
            old.execute("INSERT INTO episodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    upgrade(path, Kind.RECOVERY)
    with closing(sqlite3.connect(path)) as new:
        found = new.execute("SELECT strategy, detected_at, healed_at FROM episodes ORDER BY id").fetchall()
    assert found == [("reconnect", 2.0, 9.0), ("stop", 2.0, None), ("reconnect", 2.0, None)]


async def test_actions(tmp_path: Path) -> None:
    upgrade(tmp_path / "recovery.db", Kind.RECOVERY)
    async with await open_writer(tmp_path / "recovery.db") as database, database.begin() as conn:
        first = await recovery_queries.begin_episode(conn, "a", "deaf", "reconnect", 1.0, {}, detected_at=5.0)
        other = await recovery_queries.begin_episode(conn, "b", "deaf", "reconnect", 1.0, {})
        told = await recovery_queries.begin_action(conn, first, "a", "deaf", "reconnect", 5.0, {"rule": "first"})
        await recovery_queries.end_actions(conn, first, "failed", 9.0)
        await recovery_queries.begin_action(conn, first, "a", "deaf", "restart", 9.0, {})
        await recovery_queries.begin_action(conn, other, "b", "deaf", "reconnect", 6.0, {})
        done = Action(told, first, "a", "deaf", 5.0, "reconnect", {"rule": "first"}, "failed", 9.0)
        under_way = Action(told + 1, first, "a", "deaf", 9.0, "restart")
        assert await recovery_queries.actions_in(conn, first) == [done, under_way]
        assert [action.session for action in await recovery_queries.actions_since(conn, 6.0)] == ["a", "b"]
        assert await recovery_queries.count_outcomes(conn, 0.0, 9.0) == {("deaf", "reconnect", "failed"): 1}
        assert await recovery_queries.count_outcomes(conn, 0.0, 8.0) == {}
        await recovery_queries.update_episode(conn, first, 2, {}, "restart")
        assert await recovery_queries.end_episode(conn, first, "healed", 30.0, healed_at=20.0)
        healed = Episode(first, "a", "deaf", "restart", 2, 1.0, 30.0, "healed", {}, 5.0, 20.0)
        assert await recovery_queries.latest_episodes(conn, "a", 5) == [healed]
        assert await recovery_queries.prune_episodes(conn, 31.0, 9) == 1
        assert await recovery_queries.actions_in(conn, first) == []
        assert len(await recovery_queries.actions_in(conn, other)) == 1


async def test_a_reader_sees_one_snapshot(api: Database) -> None:
    async with api, await open_reader(api.path) as reader:
        async with reader.begin() as seen:
            assert await api_queries.get_meta(seen, "a") is None
            async with api.begin() as conn:
                await api_queries.set_meta(conn, "a", "b")
            assert await api_queries.get_meta(seen, "a") is None
        async with reader.begin() as seen:
            assert await api_queries.get_meta(seen, "a") == "b"


async def test_a_group_is_one_transaction_and_a_mistake_in_it_ends_no_further_ones(api: Database) -> None:
    async def put(conn: Statements, key: str) -> str:
        await conn.execute(insert(meta).values(key=key, value="1"))
        return key

    async def fail(_: Statements) -> str:
        raise KeyError("a mistake")

    async with api:
        group = GroupCommit(api)
        running = asyncio.create_task(group.run())
        assert await asyncio.gather(*(group.write(lambda c, k=f"k{n}": put(c, k)) for n in range(5))) == [  # type: ignore[misc]
            f"k{n}" for n in range(5)
        ]
        mixed = [group.write(lambda conn: put(conn, "with it")), group.write(fail)]
        assert [type(each) for each in await asyncio.gather(*mixed, return_exceptions=True)] == [KeyError, KeyError]
        assert await group.write(lambda conn: put(conn, "after it")) == "after it"
        keys = await group.read(lambda conn: fetch(conn, Prepared(select(meta.c.key).order_by(meta.c.key))))
        assert [key for (key,) in keys] == ["after it", *(f"k{n}" for n in range(5))]
        running.cancel()
