"""Status and quality: the contract's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.health.quality import BANDS, MARGIN, Quality, band, quality
from actors.health.signals import Signals, fold
from actors.health.status import Status, is_blocked, status, status_of
from actors.session.causes import Cause
from actors.session.change import Change
from actors.session.vocabulary import State

LOST = "connection_lost"


@pytest.mark.parametrize(
    ("state", "cause", "since", "expected"),
    [
        ("open", None, None, Status.CONNECTED),
        ("open", LOST, None, Status.CONNECTED),
        ("starting", None, 0.0, Status.CONNECTING),
        ("connecting", LOST, 881.0, Status.CONNECTING),
        ("waiting", LOST, 881.0, Status.CONNECTING),
        ("waiting", LOST, 879.0, Status.DISCONNECTED),
        ("connecting", LOST, 879.0, Status.DISCONNECTED),
        ("connecting", None, 0.0, Status.CONNECTING),
        ("connecting", LOST, None, Status.CONNECTING),
        ("pairing", None, 0.0, Status.PAIRING),
        ("closing", None, 0.0, Status.STOPPED),
        ("stopped", "operator_stop", 0.0, Status.STOPPED),
        ("blocked", "locked", 0.0, Status.BLOCKED),
        ("halted", "logged_out", 0.0, Status.ERROR),
        ("parked", "crash_loop", 0.0, Status.ERROR),
        ("dreaming", None, 0.0, Status.ERROR),
    ],
)
def test_each_state_has_its_status(state: str, cause: str | None, since: float | None, expected: Status) -> None:
    assert status_of(state, cause, since, 1000.0) is expected


def test_open_without_proof_of_life_is_an_error() -> None:
    s = fold(Signals(), Change(0.0, State.OPEN, State.CONNECTING), 0.0)
    assert status(s, 119.0) is Status.CONNECTED
    assert status(s, 121.0) is Status.ERROR


def test_every_state_has_a_status() -> None:
    for state in State:
        assert status_of(state, None, None, 0.0) in Status


def test_only_what_whatsapp_blocks_is_blocked() -> None:
    blocked = {c for c in Cause if is_blocked("blocked", c.value)}
    assert blocked == {Cause.LOCKED, Cause.BANNED, Cause.TEMPORARY_BAN}
    assert not is_blocked("stopped", "locked")
    assert not is_blocked("blocked", None)
    assert not is_blocked("blocked", "nonsense")


scores = st.integers(0, 100)
qualities = st.sampled_from(Quality)
RANK = [q for _, q in BANDS]


@given(scores, scores, st.none() | qualities)
def test_a_better_score_never_has_a_worse_word(one: int, other: int, before: Quality | None) -> None:
    low, high = sorted([one, other])
    assert RANK.index(quality(high, before)) <= RANK.index(quality(low, before))


@given(scores, qualities)
def test_the_word_settles_and_stays_near_its_band(points: int, before: Quality) -> None:
    first = quality(points, before)
    assert quality(points, first) is first
    assert RANK.index(band(points + MARGIN)) <= RANK.index(first) <= RANK.index(band(points - MARGIN))


@given(scores, st.lists(st.integers(-MARGIN, MARGIN - 1), min_size=2, max_size=30), qualities)
def test_a_score_that_trembles_does_not_make_the_word_tremble(centre: int, tremble: list[int], before: Quality) -> None:
    words = [quality(centre, before)]
    for move in tremble:
        words.append(quality(min(100, max(0, centre + move)), words[-1]))
    ranks = [RANK.index(word) for word in words]
    assert ranks in (sorted(ranks), sorted(ranks, reverse=True))


def test_quality_without_a_history_is_the_plain_band() -> None:
    assert [quality(p) for p in (100, 85, 84, 65, 64, 40, 39, 0)] == [
        Quality.EXCELLENT,
        Quality.EXCELLENT,
        Quality.GOOD,
        Quality.GOOD,
        Quality.POOR,
        Quality.POOR,
        Quality.CRITICAL,
        Quality.CRITICAL,
    ]


def test_a_border_has_to_be_crossed_by_the_margin() -> None:
    assert quality(87, Quality.GOOD) is Quality.GOOD
    assert quality(88, Quality.GOOD) is Quality.EXCELLENT
    assert quality(82, Quality.EXCELLENT) is Quality.EXCELLENT
    assert quality(81, Quality.EXCELLENT) is Quality.GOOD
    assert quality(0, Quality.EXCELLENT) is Quality.CRITICAL
