import asyncio

from actors.connectors.host.hints import FOLLOWERS, REST_PAUSE, Hints
from tests.fixtures_daemon import until


async def test_the_first_news_is_told_at_once_and_what_follows_together() -> None:
    told: list[tuple[str, int]] = []
    hints = Hints(lambda name, upto: told.append((name, upto)))
    hints.grown(1)  # a new host: its outbox may hold states that nobody read
    assert told == [("gateway", 1), *((name, 1) for name in FOLLOWERS)]
    del told[:]
    for upto in range(2, 50):
        hints.grown(upto)
    assert not told
    await until("somebody was told", lambda: told)
    assert told == [("gateway", 49)]


async def test_a_send_is_no_news_to_those_who_follow_states() -> None:
    told: list[tuple[str, int]] = []
    hints = Hints(lambda name, upto: told.append((name, upto)))
    hints.grown(1)
    del told[:]
    hints.grown(2)
    await until("somebody was told", lambda: told)
    hints.concerns_all()
    hints.grown(3)
    await until("all were told", lambda: len(told) == 2 + len(FOLLOWERS))
    assert told == [("gateway", 2), ("gateway", 3), *((name, 3) for name in FOLLOWERS)]


async def test_everybody_is_told_without_a_pause() -> None:
    told: list[tuple[str, int]] = []
    hints = Hints(lambda name, upto: told.append((name, upto)))
    hints.grown(7)
    hints.everybody()
    assert told == [("gateway", 7), *((name, 7) for name in FOLLOWERS)] * 2


async def test_no_growth_is_no_news() -> None:
    told: list[tuple[str, int]] = []
    hints = Hints(lambda name, upto: told.append((name, upto)))
    hints.grown(0)
    assert not told


async def test_what_somebody_waits_for_goes_before_the_rest() -> None:
    told: list[tuple[int, float]] = []
    loop = asyncio.get_running_loop()
    hints = Hints(lambda name, upto: told.append((upto, loop.time())) if name == "gateway" else None)
    hints.grown(1)
    hints.grown(2)
    hints.awaited()
    hints.grown(3)
    await until("somebody was told", lambda: len(told) == 2)
    assert told[1][0] == 3
    hints.grown(4)
    await until("somebody was told of the rest", lambda: len(told) == 3)
    assert told[2][1] - told[1][1] >= REST_PAUSE * 0.9
