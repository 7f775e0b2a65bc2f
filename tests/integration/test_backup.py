"""Backups while databases are written, and putting them back with kill -9 after every step."""

import asyncio
import contextlib
import itertools
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actors.store import api_queries, shard_queries
from actors.store.engine import open_writer
from actors.store.migrate import upgrade
from actors.store.records import RESTORED, SendProgress
from actors.store.tables import Kind
from actors.vault.keyring import MasterKeys
from daemon.backup import files
from daemon.backup.make import BackupError, make
from daemon.backup.manifest import NAME
from daemon.backup.restore import READY, STAGING, RestoreError, finish, restore
from daemon.backup.verdicts import Verdict
from tests.fixtures_daemon import Daemon
from tests.integration.crashing import crasher
from tests.integration.vaults import MASTER_KEY, owner, running
from tests.unit.connectors.baileys_states import entries, life, paired

pytestmark = pytest.mark.integration

KEYS = MasterKeys(MASTER_KEY)
DATABASES = {"api": Kind.API, "vault": Kind.VAULT, "health": Kind.HEALTH, "shard-0": Kind.SHARD}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory as a daemon leaves it."""
    folder = tmp_path / "var"
    folder.mkdir(mode=0o700)
    for name, kind in DATABASES.items():
        upgrade(folder / f"{name}.db", kind)
    return folder


async def store(folder: Path, **states: dict[str, bytes]) -> None:
    """Puts auth states into a vault, in place of what is there."""
    async with running(folder):
        for session, state in states.items():
            async with owner(folder / "vault.sock", session) as peer:
                await peer.ask("reset")
                await peer.ask("commit", set=state, paired=True)


async def stored(folder: Path, session: str) -> dict[str, bytes]:
    async with running(folder), owner(folder / "vault.sock", session) as peer:
        return await peer.load()


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute(query).fetchall()


def held(folder: Path) -> set[str]:
    wishes = rows(folder / "api.db", "SELECT session, enabled, who FROM desired")
    assert not [session for session, enabled, who in wishes if who == RESTORED and enabled]
    return {session for session, _, who in wishes if who == RESTORED}


def content(folder: Path) -> dict[str, str]:
    """Everything in all databases of a folder."""
    found = {}
    for path in sorted(folder.glob("*.db")):
        with closing(sqlite3.connect(path)) as conn:
            found[path.name] = "\n".join(conn.iterdump())
    return found


async def test_all_databases_are_as_of_one_moment(state: Path, tmp_path: Path) -> None:
    """What is copied is what was there when the copy began, also of a database that comes late."""
    with closing(sqlite3.connect(state / "api.db", isolation_level=None)) as api:
        api.execute("INSERT INTO placement (session, connector, shard, sends_after) VALUES ('a', 'baileys', 0, 0)")
    with closing(sqlite3.connect(state / "shard-0.db", isolation_level=None)) as shard:
        shard.execute("CREATE TABLE IF NOT EXISTS filler (n INTEGER, text TEXT)")
        shard.executemany("INSERT INTO filler VALUES (?, ?)", [(n, "x" * 200) for n in range(5000)])
    stop = asyncio.Event()

    def write() -> int:
        """Each send is in api.db first; then its host takes it over."""
        number = 0
        with (
            closing(sqlite3.connect(state / "api.db", timeout=5, isolation_level=None)) as api,
            closing(sqlite3.connect(state / "shard-0.db", timeout=5, isolation_level=None)) as shard,
        ):
            while not stop.is_set():
                number += 1
                values = "VALUES ('a', ?, 'to', 'text', 0)"
                api.execute(f"INSERT INTO sends (session, id, to_jid, text, created_at) {values}", (str(number),))
                shard.execute("INSERT OR REPLACE INTO cursor VALUES ('api.sends', ?)", (number,))
        return number

    writing = asyncio.create_task(asyncio.to_thread(write))
    for number in range(5):
        target = tmp_path / f"backup-{number}"
        await asyncio.to_thread(make, state, target, running=True)
        ((sends,),) = rows(target / "api.db", "SELECT count(*) FROM sends")
        cursor = rows(target / "shard-0.db", "SELECT position FROM cursor")
        assert (cursor[0][0] if cursor else 0) == sends, "a send that its host has not taken over has no message id yet"
        assert rows(target / "shard-0.db", "PRAGMA integrity_check") == [("ok",)]
    stop.set()
    assert await writing > 5


def test_it_is_closed_to_others_and_whole(state: Path, tmp_path: Path) -> None:
    manifest = make(state, tmp_path / "backup", running=False)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "backup").iterdir()}
    assert found == dict.fromkeys([*(f"{name}.db" for name in DATABASES), NAME], 0o600)
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
    assert set(manifest.files) == {f"{name}.db" for name in DATABASES}
    for target, said in ((tmp_path / "backup", "is there already"), (tmp_path / "no" / "where", "No such file")):
        with pytest.raises(BackupError, match=said):
            make(state, target, running=False)
    with pytest.raises(BackupError, match="has no databases"):
        make(tmp_path / "backup" / "..", tmp_path / "another", running=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "var"]


async def test_on_a_clean_host_sessions_stay_stopped_until_their_keys_are_accepted(state: Path, tmp_path: Path) -> None:
    await store(state, one=entries(paired()), two={"k": b"v"})
    before = content(state)
    make(state, tmp_path / "backup", running=False)
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    done = restore(tmp_path / "backup", other, KEYS, accept_stale=False)
    assert (done.whole, done.stopped) == (True, ("one", "two"))
    assert held(other) == {"one", "two"}
    after = content(other)
    assert {name: text for name, text in after.items() if name != "api.db"} == {
        name: text for name, text in before.items() if name != "api.db"
    }
    assert await stored(other, "one") == entries(paired())
    assert {stat.S_IMODE(path.stat().st_mode) for path in other.glob("*.db")} == {0o600}
    assert rows(other / "api.db", "SELECT action, outcome FROM audit") == [("backup.restore", "done")]

    again = restore(tmp_path / "backup", other, KEYS, accept_stale=True)
    assert (again.whole, again.stopped) == (False, ())
    assert {decision.verdict for decision in again.decisions.values()} == {Verdict.SAME}
    assert held(other) == set()


async def test_a_session_that_an_operator_had_stopped_stays_his(state: Path, tmp_path: Path) -> None:
    await store(state, one=entries(paired()), two={"k": b"v"})
    with closing(sqlite3.connect(state / "api.db")) as conn, conn:
        conn.execute("INSERT INTO desired VALUES ('one', 0, 1.0, 'grafana'), ('two', 1, 1.0, 'grafana')")
    make(state, tmp_path / "backup", running=False)
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    wishes = "SELECT session, enabled, who FROM desired ORDER BY session"
    assert restore(tmp_path / "backup", other, KEYS, accept_stale=False).stopped == ("two",)
    assert rows(other / "api.db", wishes) == [("one", 0, "grafana"), ("two", 0, RESTORED)]
    assert restore(tmp_path / "backup", other, KEYS, accept_stale=True).stopped == ()
    assert rows(other / "api.db", wishes) == [("one", 0, "grafana")]


async def test_what_no_host_had_taken_over_fails_instead_of_being_sent_twice(state: Path, tmp_path: Path) -> None:
    async with await open_writer(state / "api.db") as api, api.begin() as conn:
        await api_queries.store_placement(conn, {"one": ("baileys", 0), "two": ("baileys", 1)})
        for number, session in enumerate(("one", "one", "two"), 1):
            await api_queries.add_send(conn, session, f"id-{number}", "1@s.whatsapp.net", "hello", 1.0)
    taken = SendProgress("one", "id-1", "3EB0TAKEN", "1@s.whatsapp.net", "queued", 1.0)
    async with await open_writer(state / "shard-0.db") as shard:
        await shard.run(lambda conn: shard_queries.accept_sends(conn, [taken], 1))
    backup, host = tmp_path / "backup", tmp_path / "host"
    make(state, backup, running=False)
    host.mkdir(mode=0o700)
    restore(backup, host, KEYS, accept_stale=True)
    query = "SELECT id, state, error, message_id = '3EB0TAKEN' FROM send_state ORDER BY id"
    assert rows(host / "shard-0.db", query) == [("id-1", "queued", None, 1), ("id-2", "failed", "restored", 0)]
    assert rows(host / "shard-1.db", query) == [("id-3", "failed", "restored", 0)]
    assert [rows(host / f"shard-{n}.db", "SELECT position FROM cursor") for n in (0, 1)] == [[(2,)], [(3,)]]
    told = rows(host / "shard-1.db", "SELECT type, json_extract(data, '$.error') FROM outbox")
    assert told == [("session.send", "restored")]


async def test_older_auth_states_are_refused_and_lost_ones_come_back(state: Path, tmp_path: Path) -> None:
    old, new = map(entries, life([(0, 1)]))
    await store(state, moved=old, lost={"k": b"v"}, same={"k": b"s"}, again=entries(paired(1)))
    make(state, tmp_path / "backup", running=False)
    await store(state, moved=new, again=entries(paired(9)))
    with closing(sqlite3.connect(state / "vault.db")) as conn, conn:
        conn.execute("DELETE FROM entries WHERE session = 'lost'")
        conn.execute("DELETE FROM sessions WHERE session = 'lost'")
    health = (state / "health.db").read_bytes()
    done = restore(tmp_path / "backup", state, KEYS, accept_stale=False)
    assert {session: decision.verdict for session, decision in done.decisions.items()} == {
        "moved": Verdict.REFUSED,
        "lost": Verdict.TAKEN,
        "same": Verdict.SAME,
        "again": Verdict.REFUSED,
    }
    assert "older" in done.decisions["moved"].why
    assert done.stopped == ("lost",)
    assert held(state) == {"lost"}
    assert (state / "health.db").read_bytes() == health
    assert [await stored(state, name) for name in ("moved", "lost", "same", "again")] == [
        new,
        {"k": b"v"},
        {"k": b"s"},
        entries(paired(9)),
    ]


async def test_a_newer_auth_state_and_one_for_what_is_damaged_are_taken(state: Path, tmp_path: Path) -> None:
    old, new = map(entries, life([(0, 1)]))
    await store(state, moved=new, damaged={"k": b"v", "l": b"w"})
    make(state, tmp_path / "backup", running=False)
    await store(state, moved=old)
    with closing(sqlite3.connect(state / "vault.db")) as conn, conn:
        conn.execute("UPDATE entries SET value = (SELECT max(value) FROM entries) WHERE session = 'damaged'")
    done = restore(tmp_path / "backup", state, KEYS, accept_stale=False)
    assert {decision.verdict for decision in done.decisions.values()} == {Verdict.TAKEN}
    assert await stored(state, "moved") == new
    assert await stored(state, "damaged") == {"k": b"v", "l": b"w"}


async def test_what_only_the_log_of_a_killed_vault_has_counts(state: Path, tmp_path: Path) -> None:
    old, new = map(entries, life([(0, 1)]))
    await store(state, moved=old)
    make(state, tmp_path / "backup", running=False)
    socket = state / "vault.sock"
    async with crasher("vault", str(state / "vault.db"), str(socket), MASTER_KEY.hex()) as server:
        await server.start()
        async with owner(socket, "moved") as peer:
            await peer.ask("commit", set=new)
        server.kill()
    assert (state / "vault.db-wal").stat().st_size > 0
    done = restore(tmp_path / "backup", state, KEYS, accept_stale=False)
    assert done.decisions["moved"].verdict is Verdict.REFUSED
    assert await stored(state, "moved") == new


async def test_what_can_not_be_used_changes_nothing(state: Path, tmp_path: Path) -> None:
    await store(state, one={"k": b"v"})
    backup, before = tmp_path / "backup", content(state)
    make(state, backup, running=False)

    def refused(said: str, keys: MasterKeys = KEYS) -> None:
        with pytest.raises(RestoreError, match=said) as told:
            restore(backup, state, keys, accept_stale=False)
        assert STAGING not in str(told.value)
        assert content(state) == before
        assert not (state / STAGING).exists()
        assert not (state / READY).exists()

    refused("sealed with another master key", MasterKeys(bytes(32)))
    refused("no master key is configured", MasterKeys())
    whole = (backup / "vault.db").read_bytes()
    (backup / "vault.db").write_bytes(whole[:-1] + b"\0\1")
    refused(r"vault\.db is not as manifest\.json says")
    (backup / "vault.db").unlink()
    refused(r"vault\.db is not as manifest\.json says")
    (backup / "vault.db").write_bytes(whole)
    manifest = (backup / NAME).read_text()
    (backup / NAME).write_text(manifest.replace("shard-0.db", "../../evil.db"))
    refused(r"manifest\.json can't be used")
    (backup / NAME).unlink()
    refused("is no backup")


@contextlib.contextmanager
def dying(at: int) -> Iterator[None]:
    """In a child: `kill -9` before the ``at``-th time that a file is renamed, removed or synced."""
    steps = itertools.count(1)

    def counted(work: Any) -> Any:
        def step(*args: Any, **options: Any) -> Any:
            if next(steps) == at:
                os._exit(9)
            return work(*args, **options)

        return step

    Path.rename, Path.unlink, Path.rmdir = map(counted, (Path.rename, Path.unlink, Path.rmdir))  # type: ignore[method-assign]
    files.sync = counted(files.sync)
    yield


def killed(at: int, backup: Path, state: Path) -> bool:
    """Restores in a child that dies at a step; whether it did."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with dying(at):
                restore(backup, state, KEYS, accept_stale=False)
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, 9}
    return status == 9


async def test_a_backup_after_a_killed_restore_is_of_what_that_restored(state: Path, tmp_path: Path) -> None:
    await store(state, one=entries(paired()))
    backup, host, target = tmp_path / "backup", tmp_path / "host", tmp_path / "again"
    make(state, backup, running=False)
    for at in itertools.count(1):
        host.mkdir(mode=0o700)
        assert killed(at, backup, host), "it was never killed between its decision and its end"
        if (host / READY).is_dir() and len(list((host / READY).iterdir())) == 2:
            break
        shutil.rmtree(host)
    config = tmp_path / "wavigil.yaml"
    config.write_text(f"state_dir: {host}\n")
    process = await Daemon.run("backup", str(target), "--config", str(config))
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert not (host / READY).exists()
    assert content(target) == content(host)
    assert set(content(target)) == {f"{name}.db" for name in DATABASES}
    assert await stored(host, "one") == entries(paired())


@pytest.mark.parametrize("clean", [True, False], ids=["clean host", "beside databases"])
async def test_a_kill_after_any_step_leaves_the_state_of_before_or_after(
    state: Path, tmp_path: Path, clean: bool
) -> None:
    await store(state, one=entries(paired()), two={"k": b"v"})
    backup, host = tmp_path / "backup", tmp_path / "host"
    make(state, backup, running=False)
    with closing(sqlite3.connect(state / "vault.db")) as conn, conn:
        conn.execute("DELETE FROM entries WHERE session = 'two'")
    seen: set[str] = set()
    for at in itertools.count(1):
        host.mkdir(mode=0o700)
        if not clean:
            with closing(files.open_read_only(state / "api.db")) as api:
                files.copy_database(api, host / "api.db")
            with closing(files.open_read_only(state / "vault.db")) as vault:
                files.copy_database(vault, host / "vault.db")
            (host / "vault.db-wal").write_bytes(b"left by a daemon that was killed")
        if not killed(at, backup, host):
            break
        finished = finish(host)  # as the daemon's start does
        sessions = (
            {session for (session,) in rows(host / "vault.db", "SELECT session FROM entries")}
            if (host / "vault.db").exists()
            else set()
        )
        seen.add("after" if "two" in sessions else "before")
        if "two" in sessions:
            assert held(host) == ({"one", "two"} if clean else {"two"})
            assert await stored(host, "two") == {"k": b"v"}
        else:
            assert not finished
            assert sessions == (set() if clean else {"one"})
        restore(backup, host, KEYS, accept_stale=False)  # whatever was left, the next one works
        assert await stored(host, "two") == {"k": b"v"}
        shutil.rmtree(host)
    assert seen == {"before", "after"}
    assert at > 12
