"""The arithmetic of the history: whatever is merged in whatever order comes to the same."""

import random
from collections import Counter
from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from actors.health.history.entries import MINUTE_MS, NOTHING, Content, Entry, append, tidy, union
from actors.health.history.packing import (
    QUALITIES,
    STATUSES,
    pack_entries,
    pack_rollup,
    unpack_entries,
    unpack_rollup,
)
from actors.health.history.rollups import Rollup, class_of, merge, percentile, roll_up
from actors.health.quality import Quality
from actors.health.status import Status

HOUR = 29_000_040
"""The first minute of an hour."""


def content(rng: random.Random) -> Content:
    """What a sample, or the end of a connection, may count."""
    p50 = rng.choice([None, rng.randint(1, 90_000)])
    return rng.choice(
        [
            NOTHING,
            Content(disconnects=rng.choice([(("connection_lost", 1),), (("conflict", 1), ("connection_closed", 2))])),
            Content(
                heartbeats=rng.randint(0, 40),
                missed=rng.randint(0, 3),
                acks=rng.randint(0, 40),
                receipts=rng.randint(0, 9),
                received=rng.randint(0, 200),
                undecryptable=rng.randint(0, 5),
                nacks=tuple((code, rng.randint(1, 9)) for code in (400, 463, 479) if rng.random() < 0.5),
                rtt_p50=p50,
                rtt_p95=None if p50 is None else p50 + rng.choice([0, rng.randint(0, 9000)]),
            ),
        ]
    )


def minute(rng: random.Random, number: int = HOUR) -> list[Entry]:
    """What was observed within a minute, with gaps, and with overlaps after a clock was set back."""
    entries = []
    for _ in range(rng.randint(0, 8)):
        end = rng.choice([rng.randint(1, MINUTE_MS), rng.randint(1, 3)])
        quality = rng.choice([None, *QUALITIES])
        entries.append(
            Entry(
                number * MINUTE_MS + end,
                rng.choice([0, end, rng.randint(0, end)]),
                rng.choice([None, *STATUSES]),
                quality,
                None if quality is None else rng.randint(0, 100),
                rng.choice([None, "conflict"]),
                content(rng),
            )
        )
    return entries


seeds = st.integers(0, 2**63)
"""Of a generator: to draw each number of an hour from hypothesis takes a hundred times as long."""
minutes = seeds.map(lambda seed: minute(random.Random(seed)))
hours = seeds.map(lambda seed: [minute(random.Random(seed + n), HOUR + n) for n in range(0, 60, 7)])


@given(hours)
def test_an_hour_of_its_minutes_is_the_hour_of_all_that_was_observed(parts: list[list[Entry]]) -> None:
    of_minutes = merge([roll_up(part) for part in parts])
    assert of_minutes == roll_up([entry for part in parts for entry in part])


@given(st.lists(minutes, min_size=3, max_size=3))
def test_merging_is_associative_and_commutative(parts: list[list[Entry]]) -> None:
    one, two, three = map(roll_up, parts)
    assert merge([merge([one, two]), three]) == merge([one, merge([two, three])]) == merge([one, two, three])
    assert merge([one, two]) == merge([two, one])
    assert merge([one, Rollup()]) == one


@given(minutes)
def test_a_minute_is_never_longer_than_a_minute_and_its_parts_agree(entries: list[Entry]) -> None:
    total = roll_up(entries)
    assert 0 <= total.watched_ms <= MINUTE_MS
    assert sum(total.qualities.values()) <= MINUTE_MS
    if total.score_mean is not None:
        assert total.score_min is not None
        assert total.score_max is not None
        assert total.score_min <= total.score_mean <= total.score_max
    assert total.heartbeats == sum(entry.content.heartbeats for entry in entries)
    refused: Counter[int] = Counter()
    for entry in entries:
        refused.update(dict(entry.content.nacks))
    assert total.nacks == refused


@given(minutes, minutes)
def test_what_is_stored_twice_counts_once(one: list[Entry], other: list[Entry]) -> None:
    both = union(one, other)
    assert union(both, one) == union(other, both) == both
    assert roll_up(union(one, other)) == roll_up(union(other, one))
    assert union(one, one) == union(one)


@given(minutes)
def test_no_moment_is_in_two_entries(entries: list[Entry]) -> None:
    found = tidy(entries)
    for before, after in pairwise(entry for entry in found if entry.ms):
        assert after.at - after.ms >= before.at
    assert Counter(tidy(found)) == Counter(found)
    assert Counter(entry.content for entry in found) == Counter(entry.content for entry in entries)


@given(minutes)
def test_what_is_packed_comes_out_again(entries: list[Entry]) -> None:
    assert unpack_entries(HOUR, pack_entries(HOUR, entries)) == entries
    total = roll_up(entries)
    assert unpack_rollup(pack_rollup(total)) == total


@given(minutes)
def test_what_only_goes_on_is_one_entry_and_comes_to_the_same(entries: list[Entry]) -> None:
    joined: list[Entry] = []
    parts = [part for entry in tidy(entries) for part in _halves(entry)]
    for part in parts:
        append(joined, part)
    assert len(joined) <= len(parts)
    whole, split = roll_up(joined), roll_up(parts)
    assert whole.statuses == split.statuses
    assert whole.heartbeats == split.heartbeats
    assert whole.score_sum == split.score_sum


def _halves(entry: Entry) -> list[Entry]:
    first = entry.ms // 2
    return [
        Entry(entry.at - entry.ms + first, first, entry.status, entry.quality, entry.score, entry.cause),
        Entry(entry.at, entry.ms - first, entry.status, entry.quality, entry.score, entry.cause, entry.content),
    ]


def test_a_quiet_minute_is_small() -> None:
    entries: list[Entry] = []
    for end in range(10_000, MINUTE_MS + 1, 10_000):
        content = Content(heartbeats=1, rtt_p50=412, rtt_p95=412)
        at = HOUR * MINUTE_MS + end
        append(entries, Entry(at, 10_000, Status.CONNECTED, Quality.EXCELLENT, 100, None, content))
    assert len(pack_rollup(roll_up(entries))) <= 24
    assert len(pack_entries(HOUR, entries)) <= 100


@given(st.lists(st.floats(1, 50_000), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 1.0]))
def test_percentiles_are_right_within_a_twentieth(times: list[float], share: float) -> None:
    trips = {number: len(list(same)) for number, same in groupby(sorted(map(class_of, times)))}
    found = percentile(trips, share)
    exact = sorted(times)[max(0, -int(-share * len(times) // 1) - 1)]
    assert found is not None
    assert abs(found - exact) <= 0.05 * exact


def test_of_many_heartbeats_both_percentiles_are_kept() -> None:
    total = roll_up([Entry(HOUR * MINUTE_MS + 5, 0, content=Content(heartbeats=100, rtt_p50=400, rtt_p95=9000))])
    assert sum(total.trips.values()) == 100
    assert percentile(total.trips, 0.5) == 2 ** (class_of(40) / 8)
    assert percentile(total.trips, 0.95) == 2 ** (class_of(900) / 8)
    assert percentile({}, 0.5) is None


def test_the_last_cause_is_the_latest_whatever_comes_first() -> None:
    base = HOUR * MINUTE_MS
    lost = Entry(base + 10, 0, content=Content(disconnects=(("connection_lost", 1),)))
    waiting = Entry(base + 500, 490, Status.DISCONNECTED, Quality.CRITICAL, 35, "conflict")
    for entries in ([lost, waiting], [waiting, lost]):
        assert roll_up(entries).last_cause == (base + 500, "conflict")
    assert roll_up([lost]).last_cause == (base + 10, "connection_lost")
