"""A host with two connector processes, of which one takes the place of the other: what each is told, and its bounds."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from actors.connectors.host import launch
from actors.connectors.host.bloat import Bounds
from actors.connectors.host.journal import Journal
from actors.connectors.host.recycling import Recycling
from actors.connectors.host.roster import Roster
from actors.connectors.host.sends import Sends
from actors.messages.plans import SessionPlan
from actors.settings import Settings
from actors.store.engine import open_writer
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from tests.fixtures_daemon import until
from tests.integration.hosts import PLACE, Host

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


class Diarist(Host):
    """One whose connector writes down what it is told."""

    @property
    def diary(self) -> Path:
        return self.folder / "diary"

    def settings(self, **options: Any) -> Settings:
        given = {"diary": str(self.diary), **self.options, **options}
        return self.settings_with(options=given, connects_per_second=8)

    def told(self, pid: int, command: str) -> list[dict[str, Any]]:
        """What the host told a process."""
        lines = self.diary.read_text().splitlines() if self.diary.exists() else []
        return [line for line in map(json.loads, lines) if (line["pid"], line["cmd"]) == (pid, command)]


@pytest.fixture
async def make(short_tmp: Path) -> AsyncIterator[Any]:
    made: list[Diarist] = []

    def host(deed: str, **options: Any) -> Diarist:
        made.append(Diarist(short_tmp, deed=deed, **options))
        return made[-1]

    yield host
    for each in made:
        await each.close()


async def test_what_changes_while_a_process_starts_is_told_to_it(make: Any) -> None:
    host = make("good")
    await host.start()
    old = host.connectors.current
    assert old is not None
    fresh = await host.connectors.start(threads=True)
    await host.connectors.use(host.settings(colour="new"), 0.25)  # the fresh one is nobody's yet
    assert [told["options"]["colour"] for told in host.told(old.process.popen.pid, "options")] == ["new"]
    await host.connectors.present(fresh)
    pid = fresh.popen.pid
    await until("the fresh one is told", lambda: host.told(pid, "admission"))
    assert [told["options"]["colour"] for told in host.told(pid, "options")] == ["new"]
    assert host.told(pid, "admission")[-1]["connectsPerSecond"] == 2
    assert host.told(old.process.popen.pid, "admission")[-1]["connectsPerSecond"] == 0, "nobody enters it any more"


async def test_who_was_in_a_process_that_died_while_it_was_left_is_nowhere(make: Any, short_tmp: Path) -> None:
    done = short_tmp / "done"
    done.mkdir()
    host = make("pairs", once=str(done))
    await host.start()
    await until("a pairing is under way", lambda: host.phases == ["pairing"])
    await host.start()
    host.connectors.retiring.process.kill()
    await until("its slot is free again", lambda: host.phases == ["pairing", "idle"])


async def test_a_process_that_is_ending_is_not_replaced(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host, roster = make("good"), Roster({})
    monkeypatch.setattr(launch, "bounds", lambda _settings, _connector: Bounds(limit=1))
    await host.start()
    current = host.connectors.current
    recycling = Recycling(host.connectors, None, roster, host.settings(), PLACE, lambda _address, _message: None)  # type: ignore[arg-type]
    host.spawn(recycling.run())
    await until("it was killed", current.link.closed.is_set)
    assert recycling.ask("s") == "the connector process is ending"
    await asyncio.sleep(0)
    assert not recycling.busy


async def test_a_process_that_is_being_left_may_not_grow_without_bound(
    make: Any, monkeypatch: pytest.MonkeyPatch, short_tmp: Path
) -> None:
    host = make("pairs")
    for kind, name in ((Kind.API, "api"), (Kind.SHARD, "shard-0")):
        upgrade(short_tmp / f"{name}.db", kind)
    roster = Roster({})
    roster.plan([SessionPlan("s", "external", enabled=True)])
    async with await open_writer(short_tmp / "shard-0.db") as shard, await open_writer(short_tmp / "api.db") as api:
        link_of = host.connectors.link_of
        sends = Sends(0, Journal(shard, lambda _upto: None), api, link_of, 5.0, host.spawn)
        await host.start()
        recycling = Recycling(host.connectors, sends, roster, host.settings(), PLACE, lambda _address, _message: None)
        running = host.spawn(recycling.run())
        assert recycling.ask("s") is None
        await until("one is being left", lambda: host.connectors.retiring is not None)
        retiring = host.connectors.retiring
        assert retiring is not None
        monkeypatch.setattr(launch, "bounds", lambda _settings, _connector: Bounds(limit=1))
        recycling.use(host.settings())
        await until("it was killed", lambda: retiring.process.popen.poll() is not None)
        assert recycling.busy, "the pairing that it waits for goes on"
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
