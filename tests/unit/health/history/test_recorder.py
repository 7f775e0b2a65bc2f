"""What is written down of what the health actor sees, and what is not: nobody looked, so nobody knows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.health.history.entries import MINUTE_MS, Entry
from actors.health.history.recorder import Recorder, Seen
from actors.health.history.rollups import merge, roll_up
from actors.health.history.steadiness import Steadiness
from actors.health.quality import Quality
from actors.health.status import Status
from actors.session.sample import Sample

T0 = 1_700_000_040.0
"""The beginning of a minute."""
M0 = int(T0 // 60)
WELL = Seen(Status.CONNECTED, Quality.EXCELLENT, 100)
LOST = Seen(Status.CONNECTING, Quality.CRITICAL, 35, "connection_lost")


def sample(at: float, acks: int = 0) -> Sample:
    return Sample(since=at - 10, at=at, state="open", heartbeats=1, rtt_p50_ms=40.0, rtt_p95_ms=40.0, acks=acks)


def entries(recorder: Recorder, before: int, now: float) -> dict[int, list[Entry]]:
    return {minute: found["a"] for minute, found in recorder.close(before, now).items() if found.get("a")}


def watched(start: float, end: float, step: float = 10.0) -> Recorder:
    recorder = Recorder()
    recorder.looked(start)
    recorder.observed("a", WELL, start)
    at = start
    while at < end:
        at += step
        recorder.looked(at)
        recorder.sampled("a", sample(at), at)
    return recorder


def test_a_watched_minute_is_whole() -> None:
    found = entries(watched(T0, T0 + 130), M0 + 2, T0 + 135)
    assert sorted(found) == [M0, M0 + 1]
    for minute, part in found.items():
        total = roll_up(part)
        assert total.statuses == {Status.CONNECTED: MINUTE_MS}
        assert total.heartbeats == 6
        assert all(entry.minute == minute for entry in part)


def test_a_minute_is_written_once() -> None:
    recorder = watched(T0, T0 + 60)
    assert entries(recorder, M0 + 1, T0 + 75)
    assert entries(recorder, M0 + 1, T0 + 76) == {}


def test_a_change_divides_the_time_exactly() -> None:
    recorder = watched(T0, T0 + 20)
    recorder.failed("a", "connection_lost", T0 + 24.5, T0 + 25.0)
    recorder.observed("a", LOST, T0 + 25)
    recorder.observed("a", WELL, T0 + 31)
    total = roll_up(entries(recorder, M0 + 1, T0 + 61)[M0])
    assert total.statuses == {Status.CONNECTED: 54_000, Status.CONNECTING: 6_000}
    assert total.disconnects == {"connection_lost": 1}
    assert (total.score_min, total.score_max) == (35, 100)
    assert total.score_mean == pytest.approx((54 * 100 + 6 * 35) / 60)
    assert total.last_cause is not None
    assert total.last_cause[1] == "connection_lost"


def test_while_nobody_looked_there_is_a_gap() -> None:
    recorder = watched(T0, T0 + 20)
    recorder.looked(T0 + 400)  # the machine stood still
    total = merge(map(roll_up, entries(recorder, M0 + 8, T0 + 410).values()))
    assert total.watched_ms == 20_000 + 10_000


def test_a_minute_that_is_closed_after_a_pause_has_the_gap() -> None:
    recorder = watched(T0, T0 + 20)
    found = recorder.close(M0 + 60, T0 + 3600)  # before anybody looked again
    assert sum(roll_up(minute["a"]).watched_ms for minute in found.values()) == 20_000


def test_a_clock_that_is_set_back_lives_no_moment_twice() -> None:
    recorder = watched(T0, T0 + 50)
    recorder.looked(T0 + 10)
    recorder.sampled("a", sample(T0 + 20), T0 + 20)
    recorder.looked(T0 + 60)
    part = entries(recorder, M0 + 1, T0 + 75)[M0]
    total = roll_up(part)
    assert total.watched_ms == MINUTE_MS
    assert total.heartbeats == 6


def test_a_late_sample_goes_where_it_belongs() -> None:
    recorder = watched(T0, T0 + 60)
    recorder.close(M0 + 1, T0 + 75)
    recorder.sampled("a", sample(T0 + 58, acks=2), T0 + 80)
    late = entries(recorder, M0 + 1, T0 + 81)[M0]
    assert roll_up(late).acks == 2
    assert roll_up(late).watched_ms == 0


def test_a_sample_that_comes_after_the_end_of_its_connection_says_nothing_of_that_end() -> None:
    recorder = watched(T0, T0 + 20)
    recorder.observed("a", LOST, T0 + 26)
    recorder.sampled("a", sample(T0 + 25), T0 + 28)
    part = entries(recorder, M0 + 1, T0 + 75)[M0]
    assert [(entry.status, entry.score) for entry in part if entry.at == round((T0 + 25) * 1000)] == [(None, None)]
    assert roll_up(part).heartbeats == 3


def test_a_sample_of_the_future_is_of_now() -> None:
    recorder = watched(T0, T0 + 10)
    recorder.sampled("a", sample(T0 + 86_400), T0 + 12)
    assert sorted(recorder.close(M0 + 9999, T0 + 13)) == [M0]


def test_a_session_that_is_quiet_takes_one_entry_a_minute() -> None:
    recorder = Recorder()
    recorder.observed("a", Seen(Status.STOPPED), T0)
    for at in range(0, 130, 10):
        recorder.looked(T0 + at)
        recorder.sampled("a", Sample(since=T0 + at - 10, at=T0 + at, state="stopped"), T0 + at)
    assert [len(part) for part in entries(recorder, M0 + 2, T0 + 135).values()] == [1, 1]


def test_a_removed_session_leaves_nothing_and_is_told_once() -> None:
    recorder = watched(T0, T0 + 30)
    recorder.remove("a", kept=False)
    recorder.sampled("a", sample(T0 + 40), T0 + 40)
    assert entries(recorder, M0 + 1, T0 + 75) == {}
    assert recorder.removed() == {"a"}
    assert recorder.removed() == set()


def test_a_session_that_left_the_file_keeps_its_history_for_its_return() -> None:
    recorder = watched(T0, T0 + 30)
    recorder.remove("a", kept=True)
    assert (recorder.removed(), recorder.kept) == (set(), {"a"})
    recorder.observed("a", WELL, T0 + 50)
    assert recorder.kept == set()


@given(st.lists(st.tuples(st.floats(-30, 90), st.sampled_from([WELL, LOST, replace(WELL, score=80)])), max_size=25))
def test_whatever_the_clock_does_no_minute_is_longer_than_a_minute(story: list[tuple[float, Seen]]) -> None:
    recorder, now = Recorder(), T0
    recorder.looked(now)
    recorder.observed("a", WELL, now)
    for step, seen in story:
        now += step
        recorder.looked(now)
        recorder.sampled("a", sample(now), now)
        recorder.observed("a", seen, now)
    for part in entries(recorder, int(now // 60) + 100, now).values():
        assert roll_up(part).watched_ms <= MINUTE_MS


def test_a_clock_that_was_set_is_trusted_after_a_day() -> None:
    clock = Steadiness(T0, 100.0)
    assert clock.steady(T0 + 50, 150.0)
    year = 365 * 86_400.0
    assert not clock.steady(T0 + year, 160.0)
    assert not clock.steady(T0 + year + 80_000, 80_160.0)
    assert clock.steady(T0 + year + 86_400, 86_560.0)
    assert clock.steady(T0 + year + 86_410, 86_570.0)
    assert not clock.steady(T0, 86_580.0)
    assert clock.steady(T0 + year + 86_430, 86_590.0)  # set right again: nothing happened
