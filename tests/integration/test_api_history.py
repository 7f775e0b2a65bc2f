"""The past of a session over HTTP and on the command line, and from a real database."""

import json
import re
import time
from pathlib import Path

import pytest

from actors.health.history.entries import Content, Entry
from actors.health.quality import Quality
from actors.health.status import Status
from actors.settings import settings_from
from actors.store.engine import open_writer
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from config.schema import Config
from daemon.api import Role
from daemon.api.fields import format_time
from daemon.backend import BackendError
from daemon.live_history import LiveHistory
from daemon.reads import Reads
from tests.fixtures_api import CheckedClient
from tests.fixtures_cli import Shell
from tests.integration.test_history import DOWN, HOUR, MINUTE, World
from tests.memory_backend import MemoryBackend

HISTORY = "/api/sessions/opens-1/history"


def observe(memory: MemoryBackend, minutes: int, upto: float) -> float:
    """A session that was watched for some minutes, but for the second of them; when that began."""
    begin = (upto // MINUTE - minutes) * MINUTE
    entries = []
    for minute in range(minutes):
        for second in (20, 40, 60):
            at = round((begin + minute * MINUTE + second) * 1000)
            ill = minute == 2 and second == 60
            seen = (Status.DISCONNECTED, Quality.CRITICAL, 35) if ill else (Status.CONNECTED, Quality.EXCELLENT, 98)
            content = Content(
                heartbeats=0 if ill else 2,
                acks=1,
                nacks=((463, 1),) if ill else (),
                disconnects=(("connection_lost", 1),) if ill else (),
                rtt_p50=None if ill else 400,
                rtt_p95=None if ill else 400,
            )
            if minute != 1:
                entries.append(Entry(at, 20_000, *seen, "connection_lost" if ill else None, content))
    memory.history.put("opens-1", entries)
    return begin


async def test_the_past_has_points_and_gaps(api: CheckedClient, memory: MemoryBackend) -> None:
    begin = observe(memory, 5, time.time())
    query = f"?from={begin}&to={format_time(begin + 300).replace('+', '%2B')}&step=1m"
    answer = (await api("GET", HISTORY + query, Role.VIEWER)).json
    assert (answer["step"], answer["from"], answer["to"]) == ("1m", format_time(begin), format_time(begin + 300))
    assert [point["at"] for point in answer["points"]] == [format_time(begin + 60 * n) for n in (0, 2, 3, 4)]
    assert answer["gaps"] == [{"from": format_time(begin + 60), "to": format_time(begin + 120)}]
    ill = answer["points"][1]
    assert ill["status"] == {"connected": 40.0, "disconnected": 20.0}
    assert ill["quality"] == {"excellent": 40.0, "critical": 20.0}
    assert ill["score"] == {"min": 35, "mean": 77.0, "max": 98}
    assert ill["disconnects"] == {"connection_lost": 1}
    assert (ill["refused"], ill["acknowledged"], ill["lastCause"]) == ({"463": 1}, 3, "connection_lost")
    assert answer["points"][0]["lastCause"] is None
    assert answer["points"][0]["roundTripMs"]["p50"] == pytest.approx(40, rel=0.05)
    joined = (await api("GET", f"{HISTORY}?from={begin}&to={begin + 300}&step=5m")).json
    assert sum(point["heartbeats"] for point in joined["points"]) == 22
    assert sum(point["seconds"] for point in joined["points"]) == 240


async def test_what_was_observed(api: CheckedClient, memory: MemoryBackend) -> None:
    begin = observe(memory, 5, time.time())
    answer = (await api("GET", f"{HISTORY}?from={begin}&to={begin + 300}&step=raw")).json
    assert len(answer["points"]) == 12
    assert {point["seconds"] for point in answer["points"]} == {20.0}
    assert answer["gaps"] == [{"from": format_time(begin + 60), "to": format_time(begin + 120)}]


async def test_without_words_it_is_the_last_day(api: CheckedClient, memory: MemoryBackend) -> None:
    observe(memory, 5, time.time())
    answer = (await api("GET", HISTORY)).json
    assert answer["step"] == "5m"
    assert sum(point["seconds"] for point in answer["points"]) == 240
    other = (await api("GET", "/api/sessions/locked-1/history")).json
    assert other["points"] == []
    assert len(other["gaps"]) == 1


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("from=2026-01-31", "from"),
        ("from=1e9", "from"),
        ("to=yesterday", "to"),
        ("from=2000000000&to=1000000000", "from"),
        ("from=99999999999", "from"),
        ("step=90s", "step"),
        ("step=0m", "step"),
        ("step=often", "step"),
        ("from=1769847330&to=999999999999&step=11000d", "step"),
        ("step=11600d", "step"),
        ("from=1000000000&step=1m", "step"),
        ("from=1000000000&step=raw", "step"),
        ("from=1000000000&step=61m", "step"),
    ],
)
async def test_what_can_not_be_answered_says_why(api: CheckedClient, query: str, parameter: str) -> None:
    answer = await api("GET", f"{HISTORY}?{query}")
    assert answer.status == 422
    assert answer.json["type"] == "/problems/invalid"
    assert [error["parameter"] for error in answer.json["errors"]] == [parameter]


async def test_the_farthest_time_that_can_be_asked_for_can_be_written(api: CheckedClient) -> None:
    begin = int(time.time()) - 60
    answer = await api("GET", f"{HISTORY}?from={begin}&to={begin + 1500 * 366 * 86_400}&step=366d")
    assert answer.status == 200
    assert answer.json["step"] == "366d"


async def test_nobody_has_no_past(api: CheckedClient) -> None:
    assert (await api("GET", "/api/sessions/nobody/history")).status == 404
    assert (await api("GET", HISTORY, None)).status == 401


async def test_on_the_command_line(wavigil: Shell, memory: MemoryBackend) -> None:
    observe(memory, 5, time.time())
    result = await wavigil("sessions", "history", "opens-1", "--from", "20m")
    assert result.status == 0, result.err
    head, _, columns, *rows = result.out.splitlines()
    assert re.fullmatch(r"opens-1  [·▁-█]{20,21}  \S+ \S+ to \S+ \S+ UTC, step 1m", head)
    assert "█·▃██" in head
    assert columns.split()[:5] == ["FROM", "WATCHED", "CONNECTED", "SCORE", "LOW"]
    assert len(rows) == 4
    assert re.search(r"60s\s+67%\s+77\s+35\s+\d\d ms\s+\d\d ms\s+0\s+3\s+1\s+0\s+1 x connection_lost$", rows[1])
    told = json.loads((await wavigil("sessions", "history", "opens-1", "--step", "1m", "--from", "9m", "--json")).out)
    assert len(told["points"]) == 4
    raw = await wavigil("sessions", "history", "opens-1", "--from", "20m", "--step", "raw")
    assert len(raw.out.splitlines()) == 3 + 12
    assert (await wavigil("sessions", "history", "opens-1", "--step", "90s")).status == 2
    assert (await wavigil("sessions", "history", "opens-1", "--from", "soon")).status == 2
    assert (await wavigil("sessions", "history", "nobody")).status == 1


@pytest.mark.integration
async def test_from_the_database_while_it_is_written(tmp_path: Path) -> None:
    """Hours and days that are not rolled up yet are made of what is: nothing is missing, nothing counts twice."""
    upgrade(tmp_path / "health.db", Kind.HEALTH)
    settings = settings_from(Config(state_dir=tmp_path), None)
    begin = (time.time() // HOUR - 30) * HOUR
    async with await open_writer(settings.database("health")) as database:
        world = World(database, now=begin)
        await world.live_on(13, ["opens-1"])
        await world.live_on(0.5, ["opens-1"], DOWN)
        world.now += 3 * HOUR
        world.up += 3 * HOUR
        await world.live_on(13.5, ["opens-1"])
        reads = Reads(settings.database)
        history = LiveHistory(settings, lambda session: None, reads)
        try:
            end = begin + 30 * HOUR
            found = {step: await history.read("opens-1", begin, end, step) for step in (300, 3600, 6 * 3600, 86_400)}
            beats = {step: sum(p.rollup.heartbeats for p in series.points) for step, series in found.items()}
            watched = {step: sum(p.rollup.watched_ms for p in series.points) for step, series in found.items()}
            assert len(set(beats.values())) == len(set(watched.values())) == 1
            assert set(watched.values()).pop() == pytest.approx(27 * HOUR * 1000, rel=0.005)
            holes = [(round((a - begin) / HOUR, 1), round((b - begin) / HOUR, 1)) for a, b in found[300].gaps]
            assert (13.5, 16.5) in holes
            down = [p for p in found[3600].points if Status.DISCONNECTED in p.rollup.statuses]
            assert [p.at for p in down] == [begin + 13 * HOUR]
            raw = await history.read("opens-1", begin + 25 * HOUR, begin + 26 * HOUR, 0)
            assert sum(p.rollup.heartbeats for p in raw.points) == 180
            assert raw.gaps == ()
            nobody = await history.read("locked-1", begin, end, 3600)
            assert nobody.points == ()
            with pytest.raises(BackendError, match="1500 points") as refused:
                await history.read("opens-1", begin - 30 * HOUR, end, 60)
            assert refused.value.detail["parameter"] == "step"
        finally:
            await reads.close()
