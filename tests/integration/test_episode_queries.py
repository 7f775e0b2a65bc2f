"""What is asked of the ledger, on a real database: the sums by day agree with the rows, whatever was summed up when."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.recovery.book import Book
from actors.recovery.days import AGAIN_S, Days
from actors.recovery.ledger import Ledger
from actors.recovery.pruning import Pruning
from actors.store import episode_queries, recovery_queries
from actors.store.direct import Statements
from actors.store.engine import Database, open_reader, open_writer
from actors.store.episode_queries import DAY, EpisodeFilter, Sums
from actors.store.migrate import upgrade
from actors.store.tables import Kind

pytestmark = pytest.mark.integration

NOW = 20_000.4 * DAY


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    upgrade(tmp_path / "recovery.db", Kind.RECOVERY)
    async with await open_writer(tmp_path / "recovery.db") as database:
        yield database


async def ended(database: Database, began: float, took: float, cause: str = "connection_lost", **data: object) -> None:
    async def enter(conn: Statements) -> None:
        id = await recovery_queries.begin_episode(conn, "a", cause, "reconnect", began, data, began + 1.0)
        await recovery_queries.update_episode(conn, id, 6, data)
        await recovery_queries.end_episode(conn, id, "healed", began + took, began + took)

    await database.run(enter)


async def sums(database: Database, since: float) -> list[Sums]:
    return await database.run(lambda conn: episode_queries.sums_since(conn, since))


def plain(found: list[Sums]) -> list[tuple[object, ...]]:
    return [
        (s.cause, s.episodes, s.attempts, s.loops, s.detect.count, dict(s.recover.buckets), round(s.recover.total, 3))
        for s in found
    ]


async def test_sums_agree_with_the_rows_in_every_window(database: Database, tmp_path: Path) -> None:
    rng = random.Random(5)
    for _ in range(120):
        cause = rng.choice(["connection_lost", "deaf"])
        await ended(database, NOW - rng.uniform(0.01, 9.0) * DAY, rng.uniform(0.1, 800.0), cause)
    windows = [NOW - back * DAY for back in (0.05, 0.4, 1.0, 1.4, 3.7, 8.4, 30.0)]
    before = [plain(await sums(database, since)) for since in windows]
    assert all(before)
    await Days(database).keep(NOW, 0.0)
    assert [plain(await sums(database, since)) for since in windows] == before
    async with await open_reader(tmp_path / "recovery.db") as reader:
        assert [plain(await sums(reader, since)) for since in windows] == before


async def test_what_is_accounted_for_late_is_summed_up_again(database: Database) -> None:
    days = Days(database)
    await ended(database, NOW - 5.0 * DAY, 10.0)
    await days.keep(NOW, 0.0)
    await ended(database, NOW - 1.5 * DAY, 10.0)
    await days.keep(NOW + 1.0, 0.0)  # not yet
    assert plain(await sums(database, NOW - 9.0 * DAY))[0][1] == 1
    await days.keep(NOW + AGAIN_S, 0.0)
    assert plain(await sums(database, NOW - 9.0 * DAY))[0][1] == 2
    await ended(database, NOW - 4.5 * DAY, 10.0)
    await Days(database).keep(NOW + 2.0 * AGAIN_S, 0.0)  # after a restart it looks back for longer
    assert plain(await sums(database, NOW - 9.0 * DAY))[0][1] == 3
    for later in range(1, 4):  # days without any episode
        await days.keep(NOW + later * DAY, 0.0)
    assert plain(await sums(database, NOW - 1.6 * DAY))[0][1] == 1


async def test_what_is_pruned_is_missing_and_nothing_else(database: Database) -> None:
    days, kept = Days(database), NOW - 3.0 * DAY
    for back in (1.2, 2.2, 5.0, 6.0):
        await ended(database, NOW - back * DAY, 10.0)
    await days.keep(NOW, 0.0)
    wanted = plain(await sums(database, kept))
    async with database.begin() as conn:
        await recovery_queries.prune_episodes(conn, kept, 500)
    await Days(database).keep(NOW, kept)
    assert plain(await sums(database, kept)) == wanted
    assert wanted[0][1] == 2


async def test_after_a_clock_was_ahead_the_sums_agree_with_the_rows_again(database: Database) -> None:
    await ended(database, NOW - 2.0 * DAY, 9.0)
    ahead = Days(database)
    await ahead.keep(NOW + 40.0 * DAY, 0.0)
    for days, now in ((ahead, NOW), (Days(database), NOW + 3.0 * DAY)):
        await ended(database, now - 500.0, 9.0)
        await ended(database, now - 0.9 * DAY, 9.0)
        await days.keep(now, 0.0)
        for back, count in ((0.1, 1), (0.95, 2)):
            assert sum(s.episodes for s in await sums(database, now - back * DAY)) == count
    assert sum(s.episodes for s in await sums(database, NOW - 9.0 * DAY)) == 5


async def test_a_clock_that_is_ahead_for_a_while_costs_nothing(database: Database) -> None:
    """A day later it is taken to be right."""
    clock, up = NOW, 100.0
    pruning = Pruning(database, Ledger(database, Book()), lambda: clock, lambda: up)
    await ended(database, NOW - 3.0 * DAY, 9.0)
    for jump, left in ((0.0, 1), (300.0 * DAY, 1), (-300.0 * DAY, 1), (300.0 * DAY, 1), (2.0 * DAY, 0)):
        clock, up = clock + jump, up + (jump if jump == 2.0 * DAY else 60.0)
        await pruning.turn(100.0 * DAY, 7.0 * DAY)
        assert len(await database.run(lambda conn: episode_queries.list_episodes(conn, EpisodeFilter(), 9))) == left


async def test_a_reader_never_sees_a_day_without_the_one_before(database: Database, tmp_path: Path) -> None:
    for back in range(1, 12):
        await ended(database, NOW - back * DAY, 10.0)
    await Days(database).keep(NOW, 0.0)
    async with await open_reader(tmp_path / "recovery.db") as reader:
        over = asyncio.ensure_future(Days(database).keep(NOW, 0.0))
        while not over.done():
            assert plain(await sums(reader, NOW - 20.0 * DAY))[0][1] == 11
        await over


async def test_a_pause_takes_an_episode_out_of_the_times_only(database: Database) -> None:
    await ended(database, NOW - 100.0, 50.0)
    await ended(database, NOW - 90.0, 80.0, held=True)
    (found,) = await sums(database, NOW - 1000.0)
    assert (found.episodes, found.detect.count, found.recover.count, found.recover.total) == (2, 2, 1, 50.0)


async def test_pages_of_episodes_that_began_at_the_same_moment(database: Database) -> None:
    for number in range(7):
        await ended(database, NOW - (number % 2), 10.0)
    seen: list[int] = []
    before = None
    while page := await database.run(
        lambda conn, before=before: episode_queries.list_episodes(conn, EpisodeFilter(session="a"), 3, before)  # type: ignore[misc]
    ):
        seen += [episode.id for episode in page]
        before = (page[-1].started_at, page[-1].id)
    assert seen == [7, 5, 3, 1, 6, 4, 2]
