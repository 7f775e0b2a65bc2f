"""The wanted fleet on a real database: who owns a session, where it lives, what holds over a restart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.settings import Settings, settings_from
from actors.store import api_queries
from actors.store.engine import Database, open_writer
from actors.store.errors import StoreFull
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from config.loader import Loaded, check
from daemon.backend import BackendError, SessionRecord
from daemon.fleet import Fleet

pytestmark = pytest.mark.integration

Load = Callable[[Sequence[str]], Awaitable[Fleet]]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    upgrade(tmp_path / "api.db", Kind.API)
    async with await open_writer(tmp_path / "api.db") as database:
        yield database


@pytest.fixture
def load(tmp_path: Path, database: Database) -> Load:
    async def load(ids: Sequence[str]) -> Fleet:
        sessions = [{"id": id, "connector": "simulator"} for id in ids]
        config: dict[str, Any] = {
            "state_dir": str(tmp_path),
            "sessions": sessions,
            "connectors": {"simulator": {"sessions_per_host": 2}},
        }
        (tmp_path / "wavigil.yaml").write_text(yaml.safe_dump(config))
        loaded = check(tmp_path / "wavigil.yaml")
        fleet = Fleet(loaded, settings_from(loaded.config, None), database)
        await fleet.load()
        return fleet

    return load


def made(id: str, connector: str = "simulator") -> SessionRecord:
    return SessionRecord(id, connector, {"team": "b"}, origin="api")


def places(fleet: Fleet) -> dict[str, int]:
    return {id: fleet.shard_of(id) for id in fleet.records}


async def reason(act: Awaitable[Any]) -> str:
    with pytest.raises(BackendError) as caught:
        await act
    return caught.value.reason


async def test_places_wishes_and_sessions_hold_over_a_restart(load: Load) -> None:
    fleet = await load(["a", "b", "c"])
    assert places(fleet) == {"a": 0, "b": 0, "c": 1}
    await fleet.add(made("d"), "test")
    await fleet.enable("a", "test", False)
    await fleet.change("d", "test", {"team": "c"}, False)
    again = await load(["c", "b", "a"])  # another order in the file moves nobody
    assert places(again) == {"a": 0, "b": 0, "c": 1, "d": 1}
    assert list(again.records) == ["c", "b", "a", "d"]
    assert [id for id, record in again.records.items() if not record.enabled] == ["a", "d"]
    assert again.records["d"].labels == {"team": "c"}


async def test_a_session_taken_out_of_the_file_comes_back_to_its_place(load: Load) -> None:
    await load(["a", "b", "c"])
    assert places(await load(["b", "c"])) == {"b": 0, "c": 1}
    assert places(await load(["a", "b", "c"])) == {"a": 0, "b": 0, "c": 1}


async def test_the_file_owns_what_it_names(load: Load) -> None:
    fleet = await load(["a"])
    assert await reason(fleet.change("a", "test", {}, None)) == "file_owned"
    assert await reason(fleet.remove("a")) == "file_owned"
    assert await reason(fleet.add(made("a"), "test")) == "conflict"
    # the file takes over an id that the API made, and gives it back
    await fleet.add(made("b"), "test")
    assert (await load(["a", "b"])).records["b"].origin == "file"
    assert (await load(["a"])).records["b"].origin == "api"


def file(tmp_path: Path, *sessions: dict[str, Any]) -> tuple[Loaded, Settings]:
    config = {"state_dir": str(tmp_path), "sessions": list(sessions)}
    (tmp_path / "wavigil.yaml").write_text(yaml.safe_dump(config))
    loaded = check(tmp_path / "wavigil.yaml")
    return loaded, settings_from(loaded.config, None)


async def ready(_shards: Collection[int]) -> None:
    """They always are."""


async def test_labels_decide_who_is_important(load: Load, tmp_path: Path) -> None:
    fleet = await load(["a"])
    await fleet.add(made("b"), "test")

    def importance() -> dict[str, int]:
        return {plan.id: plan.importance for plans in fleet.plan(range(9)).shards.values() for plan in plans}

    assert importance() == {"a": 0, "b": 0}
    version = fleet.plan(range(9)).version
    await fleet.change("b", "test", {"priority": "high"}, None)
    assert (importance()["b"], fleet.plan(range(9)).version > version) == (10, True)
    loaded, settings = file(tmp_path, {"id": "a", "connector": "simulator", "labels": {"team": "fire"}})
    weights = settings.recovery.model_copy(update={"importance": {"team:fire": 7}})
    await fleet.reload(loaded, replace(settings, recovery=weights), ready)
    assert importance() == {"a": 7, "b": 0}


async def test_a_refused_reload_changes_nothing(
    load: Load, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = await load(["a", "b"])
    await fleet.enable("a", "test", False)
    before, plan = dict(fleet.records), fleet.plan(range(9))
    wanted = file(
        tmp_path, {"id": "a", "connector": "baileys", "enabled": False}, {"id": "c", "connector": "simulator"}
    )

    async def full(*_: object) -> None:
        raise StoreFull(tmp_path / "api.db")

    async def no_room(shards: Collection[int]) -> None:
        assert shards == {0, 1}
        raise BackendError("storage_full", "no room")

    assert await reason(fleet.reload(*wanted, no_room)) == "storage_full"
    with monkeypatch.context() as patch:
        patch.setattr(api_queries, "set_meta", full)
        assert await reason(fleet.reload(*wanted, ready)) == "storage_full"
    assert (fleet.records, fleet.plan(range(9))) == (before, plan)
    async with database.begin() as conn:
        assert await api_queries.load_placement(conn) == {"a": ("simulator", 0), "b": ("simulator", 0)}
        assert (await api_queries.load_desired(conn))["a"].enabled is False

    await fleet.reload(*wanted, ready)
    assert places(fleet) == {"a": 1, "c": 0}
    assert not fleet.records["a"].enabled
    # the number of a shard stays with its connector while the actors run
    await fleet.reload(*file(tmp_path, {"id": "a", "connector": "baileys"}), ready)
    await fleet.reload(*file(tmp_path, *({"id": id, "connector": "baileys"} for id in "ade")), ready)
    assert set(places(fleet).values()) == {1}


async def test_what_the_file_says_of_enabled_holds_the_same_after_a_restart(
    load: Load, tmp_path: Path, database: Database
) -> None:
    fleet = await load(["a"])
    await fleet.add(made("b"), "test")
    await fleet.enable("a", "test", False)
    on, off = ({"id": "a", "connector": "simulator", "enabled": enabled} for enabled in (True, False))
    taken = {"id": "b", "connector": "simulator", "enabled": False}
    await fleet.reload(*file(tmp_path, on, taken), ready)
    assert [record.enabled for record in fleet.records.values()] == [False, False]  # the wish; the file of a new owner
    await fleet.reload(*file(tmp_path, off), ready)
    assert (fleet.records["b"].origin, fleet.records["b"].enabled) == ("api", False)  # given back as it was
    again = Fleet(*file(tmp_path, on), database)
    await again.load()
    assert again.records["a"].enabled  # the file said off, now it says on: the wish is void
    assert not again.records["b"].enabled


async def test_what_can_not_run_is_refused(load: Load) -> None:
    fleet = await load(["a"])
    assert await reason(fleet.add(made("b", "carrier-pigeon"), "test")) == "invalid"
    assert await reason(fleet.add(made("b", "baileys"), "test")) == "invalid"  # no Node.js in these settings
    assert list(fleet.records) == ["a"]


async def test_changes_at_the_same_time_lose_nothing(load: Load, database: Database) -> None:
    fleet = await load(["a"])
    ids = [f"made-{number}" for number in range(12)]
    await asyncio.gather(*(fleet.add(made(id), "test") for id in ids))
    assert set(fleet.records) == {"a", *ids}
    assert all(list(places(fleet).values()).count(shard) <= 2 for shard in fleet.shards)
    outcomes = await asyncio.gather(*(fleet.add(made("twice"), "test") for _ in range(4)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BackendError"] * 3 + ["NoneType"]
    await asyncio.gather(*(fleet.remove(id) for id in ids), fleet.enable("a", "test", False))
    assert set(fleet.records) == {"a", "twice"}
    async with database.begin() as conn:
        assert await api_queries.load_placement(conn) == {
            id: ("simulator", shard) for id, shard in places(fleet).items()
        }


async def test_a_removed_session_leaves_its_messages_and_its_place(load: Load, database: Database) -> None:
    fleet = await load(["a", "b"])
    await fleet.add(made("c"), "test")
    assert fleet.shard_of("c") == 1
    async with database.begin() as conn:
        await api_queries.add_send(conn, "c", "1", "x@s.whatsapp.net", "hello", 1.0)
    await fleet.remove("c")
    assert fleet.shards == {0}
    assert 1 not in fleet.plan(fleet.shards).shards
    async with database.begin() as conn:
        assert await api_queries.find_send(conn, "c", "1") is None
        assert set(await api_queries.load_placement(conn)) == {"a", "b"}
    await fleet.add(made("c"), "test")
    assert fleet.shard_of("c") == 1
    assert places(await load(["a", "b"]))["c"] == 1
