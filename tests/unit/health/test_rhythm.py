"""The rhythm: what is usual at which hour, and how unusual a silence is."""

import math
import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.health.rhythm import (
    FLEET_WEIGHT,
    HOUR,
    MINUTE,
    SILENT_AT_LEAST,
    SUREST,
    WEEK,
    Rhythm,
    fleet_shares,
    hour_of_week,
    no_shares,
)

MONDAY = datetime(2026, 9, 7, tzinfo=UTC).timestamp()
DAY = 86_400.0
NOBODY = no_shares()


def learned(days: int = 28, by_day: float = 1.0, by_night: float = 0.0, seed: int = 1) -> Rhythm:
    """Messages a minute from 8 to 20 UTC, and else."""
    rng, rhythm = random.Random(seed), Rhythm(MONDAY)
    rhythm.opened(MONDAY)
    at = MONDAY
    while at < MONDAY + days * DAY:
        rate = by_day if 8 <= (at - MONDAY) % DAY / HOUR < 20 else by_night
        at += rng.expovariate(2.0) * MINUTE
        if rng.random() < rate / 2.0:
            rhythm.heard(at, UTC)
    return rhythm


def unusual_after(rhythm: Rhythm, since: float, below: float = 1e-3) -> float:
    """Minutes."""
    return next(m for m in range(1, 10_000) if rhythm.silence(since, since + m * MINUTE, UTC, NOBODY) < below)


def test_the_hours_of_a_week() -> None:
    hours = [hour_of_week(int(MONDAY // HOUR) + hour, UTC) for hour in range(WEEK)]
    assert hours == list(range(WEEK))


def test_in_a_zone_the_rhythm_moves_with_its_clocks() -> None:
    zone = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 10, 24, 10, tzinfo=zone).timestamp()  # the clocks go back the night after
    after = datetime(2026, 10, 31, 10, tzinfo=zone).timestamp()
    assert after - before == 7 * DAY + HOUR
    assert hour_of_week(int(before // HOUR), zone) == hour_of_week(int(after // HOUR), zone) == 5 * 24 + 10
    assert hour_of_week(int(before // HOUR), UTC) != hour_of_week(int(after // HOUR), UTC)


def test_where_a_message_a_minute_is_usual_minutes_of_silence_are_unusual() -> None:
    rhythm = learned()
    by_day = MONDAY + 28 * DAY + 10 * HOUR
    assert 5 <= unusual_after(rhythm, by_day) <= 9
    by_night = MONDAY + 28 * DAY + 22 * HOUR
    assert rhythm.silence(by_night, by_night + 9 * HOUR, UTC, NOBODY) > 0.1
    # but not into the morning
    assert rhythm.silence(by_night, by_night + 11 * HOUR, UTC, NOBODY) < 1e-6


def test_a_session_to_which_little_comes_may_be_silent_for_long() -> None:
    rhythm, since = learned(by_day=1 / 600), MONDAY + 28 * DAY + 10 * HOUR
    assert rhythm.silence(since, since + DAY, UTC, NOBODY) > 0.01


def test_a_burst_is_one_busy_minute() -> None:
    burst, single = Rhythm(MONDAY), Rhythm(MONDAY)
    for rhythm, times in ((burst, 500), (single, 1)):
        rhythm.opened(MONDAY)
        for hour in range(8, 20):
            for _ in range(times):
                rhythm.heard(MONDAY + hour * HOUR, UTC)
    assert burst.dump() == single.dump()


def test_a_young_rhythm_calls_nothing_unusual_and_leans_on_the_fleet_carefully() -> None:
    fleet = fleet_shares([learned()])
    young = Rhythm(MONDAY)
    since = MONDAY + 10 * HOUR
    assert young.silence(since, since + 30 * DAY, UTC, NOBODY) == 1.0
    assert young.silence(since, since + 10 * MINUTE, UTC, fleet) > 0.05
    assert young.silence(since, since + HOUR, UTC, fleet) < 0.5


def test_an_hour_that_was_not_seen_yet_is_like_that_of_the_other_days() -> None:
    rhythm = learned(days=5)
    saturday = MONDAY + 5 * DAY + 10 * HOUR
    assert 1e-3 < rhythm.silence(saturday, saturday + 15 * MINUTE, UTC, NOBODY) < 0.2
    assert rhythm.silence(saturday, saturday + 3 * HOUR, UTC, NOBODY) < 1e-3


def test_a_changed_life_is_learned_within_weeks() -> None:
    rhythm = learned()
    at = MONDAY + 28 * DAY
    for week in range(8):  # a message an hour from now on
        for hour in range(WEEK):
            rhythm.heard(at + (week * WEEK + hour) * HOUR, UTC)
    since = at + 8 * WEEK * HOUR + 10 * HOUR
    assert rhythm.silence(since, since + HOUR, UTC, NOBODY) > 0.01


def test_what_a_login_brings_is_no_rhythm() -> None:
    rhythm = Rhythm(MONDAY)
    for hour in range(WEEK):
        rhythm.opened(MONDAY + hour * HOUR)
        rhythm.heard(MONDAY + hour * HOUR + 1, UTC)
        rhythm.closed(MONDAY + hour * HOUR + 1800, UTC)
    assert {rhythm.share(cell) for cell in range(WEEK)} == {0.0}


def test_a_canary_and_the_silence_of_the_deaf_are_no_rhythm() -> None:
    rhythm = Rhythm(MONDAY)
    rhythm.opened(MONDAY)
    rhythm.pause(MONDAY + 30 * MINUTE)
    rhythm.heard(MONDAY + 31 * MINUTE, UTC)
    rhythm.resume(MONDAY + 31 * MINUTE, UTC)
    rhythm.heard(MONDAY + 31 * MINUTE + 5, UTC)
    rhythm.heard(MONDAY + 33 * MINUTE, UTC)
    share = rhythm.share(0)
    assert share == pytest.approx(1 / 30, rel=0.1)
    rhythm.pause(MONDAY + 40 * MINUTE)
    rhythm.disregard()
    rhythm.heard(MONDAY + 50 * MINUTE, UTC)
    assert rhythm.share(0) == share


def test_it_survives_a_restart() -> None:
    rhythm = learned(days=9)
    again = Rhythm.load(rhythm.dump())
    since = MONDAY + 9 * DAY + 10 * HOUR
    assert again.since == rhythm.since
    assert again.silence(since, since + 600, UTC, NOBODY) == rhythm.silence(since, since + 600, UTC, NOBODY)
    assert len(rhythm.dump()) < 1400
    for damaged in (b"", rhythm.dump()[:-1], rhythm.dump()[:-4] + b"\xff\xff\xff\xff"):
        with pytest.raises(ValueError, match="stored rhythm"):
            Rhythm.load(damaged)


@given(st.integers(0, 2**20), st.floats(0, 1e6), st.floats(0, 1e6), st.integers(0, WEEK * 60))
def test_a_longer_silence_is_never_more_probable(seed: int, one: float, other: float, minute: int) -> None:
    rng, rhythm = random.Random(seed), Rhythm(MONDAY)
    rhythm.opened(MONDAY)
    for _ in range(rng.randrange(50)):
        rhythm.heard(MONDAY + rng.random() * WEEK * HOUR, UTC)
    since = MONDAY + minute * MINUTE
    shorter, longer = (rhythm.silence(since, since + length, UTC, NOBODY) for length in sorted((one, other)))
    assert 0.0 <= longer <= shorter <= 1.0


@given(st.floats(0, SILENT_AT_LEAST - 1))
def test_a_short_silence_is_never_unusual(length: float) -> None:
    rhythm = Rhythm(MONDAY)
    rhythm.opened(MONDAY)
    for minute in range(2, 60 * 24):
        rhythm.heard(MONDAY + minute * MINUTE, UTC)
    assert rhythm.silence(MONDAY + 7 * DAY, MONDAY + 7 * DAY + length, UTC, NOBODY) == 1.0


def test_the_formula_is_that_of_the_beta_binomial() -> None:
    """Of an hour that is surely known, with a share of one half: the product over tries (b + i) / (a + b + i)."""
    rhythm = Rhythm(MONDAY)
    for week in range(40):
        rhythm.opened(MONDAY + (week * WEEK + 9) * HOUR)
        for minute in range(60, 120, 2):
            rhythm.heard(MONDAY + (week * WEEK + 9) * HOUR + minute * MINUTE, UTC)
        rhythm.closed(MONDAY + (week * WEEK + 11) * HOUR, UTC)
    a = b = SUREST / 2
    since = MONDAY + 50 * WEEK * HOUR + 10 * HOUR
    found = rhythm.silence(since, since + 11 * MINUTE, UTC, NOBODY)
    assert found == pytest.approx(math.prod((b + i) / (a + b + i) for i in range(10)), rel=0.05)
    assert FLEET_WEIGHT > 0
