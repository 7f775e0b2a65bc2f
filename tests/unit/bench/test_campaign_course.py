"""Where the time of a cut went, from forged moments."""

import pytest

from tests.bench.campaign.course import Slots, course
from tests.bench.campaign.truth import Moved

NOW = 1_790_000_000.0
SLOT = 1.02 / 50
MOVES = [
    Moved("a", NOW + 0.1, "waiting", "open", "connection_closed"),
    Moved("b", NOW + 0.2, "waiting", "open", "connection_closed"),
    Moved("a", NOW + 0.3, "connecting", "waiting", "connection_closed"),
    Moved("b", NOW + 0.4, "connecting", "waiting", "connection_closed"),
    Moved("b", NOW + 1.5, "open", "connecting", None),
    Moved("a", NOW + 1.9, "open", "connecting", None),
    Moved("b", NOW + 9.0, "open", "starting", None, resumed=True),
]


def test_slots_that_nobody_used_or_made_up_for_are_counted_and_the_last_session_is_told() -> None:
    times = [NOW - 5.0, *(NOW + 0.5 + slots * SLOT for slots in (0, 1, 6, 6.5, 7))]
    found = course(times, MOVES, NOW, 50.0, (Slots(500, 2), Slots(503, 3)))
    assert found.attempts == pytest.approx([0.5 + slots * SLOT for slots in (0, 1, 6, 6.5, 7)])
    first, slots, seconds, last = found.lines()
    assert "first let in after 0.50 s, then 4 more within 0.14 s" in first
    assert "a slot each 20.4 ms: 4 behind at most, 3 in the end; 1 taken too late" in slots
    assert seconds.strip() == "in each second: 5"
    assert "the last open was a, 1 attempts: waiting 0.10 s, connecting 0.30 s, open 1.90 s" in last


def test_where_nobody_came_back_there_is_still_something_to_tell() -> None:
    slots = (Slots(0, 0), Slots(0, 0))
    assert course([], MOVES[:2], NOW, 50.0, slots).lines() == ["    nobody was let in"]
    *_, seconds = course([NOW + 1.0], MOVES[:2], NOW, 50.0, slots).lines()
    assert seconds.strip() == "in each second: 0 1"
