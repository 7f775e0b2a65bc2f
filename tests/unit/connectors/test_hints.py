from actors.connectors.host.hints import FOLLOWERS, Hints
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
