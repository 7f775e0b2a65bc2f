"""The proxies of sessions in the wanted fleet: whose they are, what a change of one means, and what is refused."""

from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.messages.plans import ProxyPlan
from actors.settings import settings_from
from actors.store.engine import Database, open_writer
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from config.loader import Loaded, check
from daemon.backend import BackendError, SessionRecord
from daemon.fleet import Fleet

pytestmark = pytest.mark.integration

HERE, THERE = "http://u:zk7@here.example", "http://u:zk7@there.example"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    upgrade(tmp_path / "api.db", Kind.API)
    async with await open_writer(tmp_path / "api.db") as database:
        yield database


def file(folder: Path, proxy: str | None = None, b: Mapping[str, str | None] | None = None, **urls: str) -> Loaded:
    """``b`` is what the file says of the session b beside its connector; None: it does not name it."""
    sessions: list[dict[str, Any]] = [{"id": "a", "connector": "simulator", **({"proxy": proxy} if proxy else {})}]
    sessions += [] if b is None else [{"id": "b", "connector": "simulator", **b}]
    proxies = [{"name": name, "url": url, "connects_per_second": 2} for name, url in urls.items()]
    config: dict[str, Any] = {"state_dir": str(folder), "sessions": sessions, "proxies": proxies}
    (folder / "wavigil.yaml").write_text(yaml.safe_dump(config))
    return check(folder / "wavigil.yaml")


async def ready(_shards: Collection[int]) -> None:
    """They always are."""


async def fleet_of(loaded: Loaded, database: Database) -> Fleet:
    fleet = Fleet(loaded, settings_from(loaded.config, None), database)
    await fleet.load()
    return fleet


def planned(fleet: Fleet) -> dict[str, ProxyPlan | None]:
    return {plan.id: plan.proxy for plans in fleet.plan(range(9)).shards.values() for plan in plans}


def made(proxy: str | None) -> SessionRecord:
    return SessionRecord("b", "simulator", origin="api", proxy=proxy)


async def test_the_plan_says_where_a_proxy_is_and_a_mark_of_it(tmp_path: Path, database: Database) -> None:
    fleet = await fleet_of(file(tmp_path, "one", one=HERE, two=THERE), database)
    await fleet.add(made("two"), "test")
    plans = planned(fleet)
    one, two = plans["a"], plans["b"]
    assert one is not None
    assert two is not None
    assert (one.name, one.url and one.url.reveal(), one.connects_per_second) == ("one", HERE, 2.0)
    assert one.mark.startswith("one.")
    assert one.mark != two.mark
    assert "zk7" not in repr(fleet.plan(range(9)))
    loaded = file(tmp_path, "one", one=HERE, two=HERE)  # the other one moved
    await fleet.reload(loaded, settings_from(loaded.config, None), ready)
    after = planned(fleet)
    assert after["a"] == one
    assert after["b"] != two


async def test_a_session_of_the_api_only_names_what_there_is(tmp_path: Path, database: Database) -> None:
    loaded = file(tmp_path, one=HERE, two=THERE)
    fleet = await fleet_of(loaded, database)
    with pytest.raises(BackendError, match="no proxy 'three'; there are one, two"):
        await fleet.add(made("three"), "test")
    await fleet.add(made("one"), "test")
    with pytest.raises(BackendError, match="no proxy 'three'"):
        await fleet.change("b", "test", None, None, "three")
    await fleet.change("b", "test", None, None, "two")
    await fleet.change("b", "test", {"x": "y"}, None)
    assert fleet.records["b"].proxy == "two"
    assert (await fleet_of(loaded, database)).records["b"].proxy == "two"
    await fleet.change("b", "test", None, None, "")
    assert (await fleet_of(loaded, database)).records["b"].proxy is None


async def test_a_reload_takes_no_proxy_away_but_a_restart_may(tmp_path: Path, database: Database) -> None:
    fleet = await fleet_of(file(tmp_path, one=HERE), database)
    await fleet.add(made("one"), "test")
    loaded = file(tmp_path)
    with pytest.raises(BackendError, match="session 'b' of the API has the proxy 'one'") as caught:
        await fleet.reload(loaded, settings_from(loaded.config, None), ready)
    assert caught.value.reason == "conflict"
    assert planned(fleet)["b"] == planned(fleet)["b"] != ProxyPlan("one")
    again = await fleet_of(loaded, database)
    assert planned(again)["b"] == ProxyPlan("one")  # it leads nowhere


async def take(fleet: Fleet, loaded: Loaded) -> str | None:
    """Through what b goes after a reload, which a restart does not change."""
    await fleet.reload(loaded, settings_from(loaded.config, None), ready)
    again = await fleet_of(loaded, fleet._database)
    assert again.records["b"] == fleet.records["b"]
    return fleet.records["b"].proxy


async def test_a_session_that_the_api_has_back_stays_behind_the_proxy_of_the_file(
    tmp_path: Path, database: Database
) -> None:
    fleet = await fleet_of(file(tmp_path, one=HERE), database)
    await fleet.add(made(None), "test")
    assert await take(fleet, file(tmp_path, b={"proxy": "one"}, one=HERE)) == "one"
    before = planned(fleet)["b"]
    assert await take(fleet, file(tmp_path, one=HERE)) == "one"
    assert fleet.records["b"].origin == "api"
    assert planned(fleet)["b"] == before
    await fleet.change("b", "test", None, None, "")
    assert await take(fleet, file(tmp_path, one=HERE)) is None, "it is the API's to change again"


async def test_it_is_given_back_as_it_is_while_the_daemon_is_down_too(tmp_path: Path, database: Database) -> None:
    fleet = await fleet_of(file(tmp_path, one=HERE), database)
    await fleet.add(made(None), "test")
    await fleet_of(file(tmp_path, b={"proxy": "one"}, one=HERE), database)
    assert (await fleet_of(file(tmp_path, one=HERE), database)).records["b"].proxy == "one"


async def test_a_file_that_says_nothing_of_a_proxy_leaves_it_to_the_session(tmp_path: Path, database: Database) -> None:
    fleet = await fleet_of(file(tmp_path, one=HERE, two=THERE), database)
    await fleet.add(made("one"), "test")
    assert await take(fleet, file(tmp_path, b={}, one=HERE, two=THERE)) == "one"
    assert fleet.records["b"].origin == "file"
    with pytest.raises(BackendError, match="session 'b' has the proxy 'one' over the API"):
        await take(fleet, file(tmp_path, b={}, two=THERE))
    assert await take(fleet, file(tmp_path, b={"proxy": "two"}, one=HERE, two=THERE)) == "two"
    assert await take(fleet, file(tmp_path, b={"proxy": None}, one=HERE, two=THERE)) is None
    assert await take(fleet, file(tmp_path, one=HERE, two=THERE)) is None, "the file's last word"
