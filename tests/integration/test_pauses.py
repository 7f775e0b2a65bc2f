"""Pauses of recovery on a real database: stored, in the plan, over restarts, and as labels change."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.settings import settings_from
from actors.store import pause_queries
from actors.store.engine import Database, open_writer
from actors.store.errors import StoreFull
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from config.loader import check
from daemon import pauses
from daemon.backend import BackendError, SessionRecord
from daemon.fleet import Fleet
from daemon.pauses import Pauses

pytestmark = pytest.mark.integration


class Main:
    """What main is made of where pauses are concerned; the actors are told nothing unless it is asked for."""

    def __init__(self, directory: Path, database: Database, labels: dict[str, dict[str, str]]) -> None:
        self.directory, self.database = directory, database
        self.fleet = Fleet(*self.file(labels), database)
        self.published: list[dict[str, float | None]] = []
        self.pauses = Pauses(self.fleet, self._publish)

    def file(self, labels: dict[str, dict[str, str]]) -> tuple[Any, Any]:
        sessions = [{"id": id, "connector": "simulator", "labels": own} for id, own in labels.items()]
        (self.directory / "wavigil.yaml").write_text(
            yaml.safe_dump({"state_dir": str(self.directory), "sessions": sessions})
        )
        loaded = check(self.directory / "wavigil.yaml")
        return loaded, settings_from(loaded.config, None)

    async def start(self) -> "Main":
        await self.fleet.load()
        return self

    async def reload(self, labels: dict[str, dict[str, str]]) -> None:
        async def ready(_shards: Any) -> None:
            """They always are."""

        await self.fleet.reload(*self.file(labels), ready)

    async def _publish(self) -> None:
        self.published.append(self.plan())

    def plan(self) -> dict[str, float | None]:
        plan = self.fleet.plan(range(99))
        return {session.id: session.paused_until for sessions in plan.shards.values() for session in sessions}


LABELS = {"a": {"team": "x"}, "b": {"team": "y"}}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    upgrade(tmp_path / "api.db", Kind.API)
    async with await open_writer(tmp_path / "api.db") as database:
        yield database


@pytest.fixture
async def main(tmp_path: Path, database: Database) -> Main:
    return await Main(tmp_path, database, LABELS).start()


async def reason(act: Any) -> str:
    with pytest.raises(BackendError) as caught:
        await act
    return caught.value.reason


async def test_what_is_stored_and_was_told_nobody_holds_after_a_restart(main: Main) -> None:
    """As after kill -9 between the commit and the word to the actors."""

    async def killed() -> None:
        raise ConnectionError("killed")

    version = main.fleet.plan(()).version
    with pytest.raises(ConnectionError):
        await Pauses(main.fleet, killed).add("op", None, {"team": "x"}, None, "upkeep")
    again = await Main(main.directory, main.database, LABELS).start()
    assert again.plan() == {"a": math.inf, "b": None}
    (pause,) = again.pauses.active()
    assert (pause.who, pause.reason, dict(pause.labels)) == ("op", "upkeep", {"team": "x"})
    assert main.fleet.plan(()).version > version
    with pytest.raises(ConnectionError):
        await Pauses(again.fleet, killed).end(pause.id, "op")
    assert (await Main(main.directory, main.database, LABELS).start()).plan() == {"a": None, "b": None}


async def test_of_overlapping_pauses_the_last_to_end_counts(main: Main) -> None:
    soon, later = time.time() + 600.0, time.time() + 1200.0
    first = await main.pauses.add("op", "a", {}, soon, "")
    await main.pauses.add("op", None, {}, later, "")
    assert main.plan() == {"a": later, "b": later}
    assert [main.fleet.paused(at) for at in (time.time(), later - 1.0, later)] == [2, 2, 0]
    third = await main.pauses.add("op", None, {"team": "x"}, None, "")
    assert main.plan() == {"a": math.inf, "b": later}
    assert main.fleet.paused(later) == 1
    await main.pauses.end(third.id, "op")
    assert main.plan() == {"a": later, "b": later}
    await main.pauses.end(2, "op")
    assert main.published[-1] == {"a": soon, "b": None} == main.plan()
    assert [pause.id for pause in main.pauses.active()] == [first.id]


async def test_a_pause_follows_its_label_when_a_reload_moves_it(main: Main) -> None:
    await main.pauses.add("op", None, {"team": "x"}, None, "")
    await main.reload({"a": {"team": "y"}, "b": {"team": "x"}, "c": {"team": "x"}})
    assert main.plan() == {"a": None, "b": math.inf, "c": math.inf}
    await main.fleet.add(SessionRecord("d", "simulator", {"team": "x"}, origin="api"), "op")
    await main.fleet.change("d", "op", {"team": "z"}, None)
    assert main.plan() == {"a": None, "b": math.inf, "c": math.inf, "d": None}
    await main.reload({"a": {}})
    assert main.plan() == {"a": None, "d": None}


async def test_a_pause_ends_by_itself_and_is_forgotten_later(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    until = time.time() + 600.0
    await main.pauses.add("op", "a", {}, until, "")
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: until + 1.0)
        assert main.pauses.active() == []
        assert await reason(main.pauses.end(1, "op")) == "unknown_pause"
        again = await Main(main.directory, main.database, LABELS).start()
        assert again.plan() == {"a": None, "b": None}
        assert (await again.pauses.add("op", "b", {}, None, "")).id == 2
    await pauses.forget(main.database, until - 1.0)
    async with main.database.begin() as conn:
        assert [pause.id for pause in await pause_queries.load_pauses(conn, 0.0)] == [1, 2]
    await pauses.forget(main.database, until + 1.0)
    async with main.database.begin() as conn:
        assert [pause.id for pause in await pause_queries.load_pauses(conn, 0.0)] == [2]


async def test_what_can_not_be_stored_is_not_in_effect(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise StoreFull(main.directory / "api.db")

    with monkeypatch.context() as patch:
        patch.setattr(pause_queries, "add_pause", full)
        assert await reason(main.pauses.add("op", "a", {}, None, "")) == "storage_full"
    assert (main.plan(), main.pauses.active(), main.published) == ({"a": None, "b": None}, [], [])
    assert await reason(main.pauses.add("op", "nobody", {}, None, "")) == "unknown_session"
    assert await reason(main.pauses.add("op", "a", {}, time.time(), "")) == "invalid"
    monkeypatch.setattr(pauses, "MOST", 3)
    made = await asyncio.gather(*(main.pauses.add("op", "a", {}, None, "") for _ in range(5)), return_exceptions=True)
    assert [type(one).__name__ for one in made].count("BackendError") == 2
    assert [pause.id for pause in main.pauses.active()] == [1, 2, 3]
