"""When a loss counts as shown: each is looked for by itself, in whatever order they come."""

import math
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.bench.campaign.visibility import PATIENCE_S, Losses, Shown, own_figures, report, shows_loss

LOOK = 0.01
NOW = 1_790_000_000.0
MOMENT = st.integers(0, 60_000).map(lambda ms: NOW + ms / 1000)


def moment(at: float) -> str:
    """As the API writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def status(session: str, at: float | None, since: float = NOW - 3600.0) -> dict[str, Any]:
    """A session whose last connection ended then, and that is as it is since ``since``."""
    cause = None if at is None else {"at": moment(at)}
    return {"sessionId": session, "statusMetadata": {"cause": cause, "since": moment(since)}}


def test_a_loss_is_shown_in_time_while_many_that_came_before_it_are_not() -> None:
    found = Losses()
    for number in range(20):
        found.struck(f"s-{number}", NOW)
    found.struck("s-99", NOW + 1.0)
    assert set(found.waiting) == {f"s-{number}" for number in range(20)} | {"s-99"}
    found.seen([status(session, NOW + 1.0 if session == "s-99" else None) for session in found.waiting], NOW + 1.02)
    assert [(each.session, round(each.took, 3)) for each in found.shown] == [("s-99", 0.02)]


@given(st.dictionaries(st.sampled_from("abcdefghijklmnop"), st.tuples(MOMENT, st.integers(1, 9_000)), min_size=1))
def test_whatever_order_they_come_in_each_takes_as_long_as_it_took(losses: dict[str, tuple[float, int]]) -> None:
    """Against a daemon that shows each loss after so many milliseconds, looked at each 10 ms."""
    found, now = Losses(), NOW
    left = dict(losses)
    while left or found.waiting:
        for session in [session for session, (at, _) in left.items() if at <= now]:
            found.struck(session, left.pop(session)[0])
        shown = [(session, *losses[session]) for session in found.waiting]
        found.seen([status(session, at if at + took / 1000 <= now else None) for session, at, took in shown], now)
        now += LOOK
    for each in found.shown:
        at, took = losses[each.session]
        assert each.at == at
        assert took / 1000 - 0.002 <= each.took <= took / 1000 + 2 * LOOK
    assert len(found.shown) == len(losses)


def test_an_earlier_loss_is_not_taken_for_this_one_and_one_never_shown_is_given_up() -> None:
    found = Losses()
    found.struck("a", NOW)
    found.seen([status("a", NOW - 60.0), status("b", NOW)], NOW + 0.1)
    assert (found.waiting, found.shown) == (["a"], [])
    found.seen([status("a", NOW - 60.0)], NOW + PATIENCE_S + 0.1)
    assert (found.waiting, found.shown) == ([], [Shown("a", NOW, PATIENCE_S)])


def test_who_is_back_before_anybody_looked_is_seen_to_have_been_away() -> None:
    assert not shows_loss(status("a", None, NOW - 1.0), NOW)
    assert shows_loss(status("a", None, NOW + 0.2), NOW), "open again, and not for as long as before"
    assert shows_loss(status("a", NOW + 0.001, NOW + 0.001), NOW)
    assert not shows_loss(status("a", NOW - 60.0, NOW - 60.0), NOW)
    found = Losses()
    found.struck("a", NOW)
    found.seen([status("a", None, NOW + 0.2)], NOW + 0.3)
    assert [round(each.took, 3) for each in found.shown] == [0.3]


def test_the_report_names_the_late_ones_with_their_shard() -> None:
    shown = [Shown("b", NOW + 2.5, 0.02), Shown("c", NOW + 1.0, 1.5), Shown("a", NOW, 0.6)]
    lines = report(shown, 2.0, {"a": "shard-0", "b": "shard-0", "c": "shard-1"})
    assert "n=3" in lines[0]
    assert [line.strip() for line in lines[1:]] == [
        "600 ms: a of shard-0, 0.0 s after the first",
        "1500 ms: c of shard-1, 1.0 s after the first",
    ]


def test_the_daemons_own_figures_are_shares() -> None:
    assert own_figures({0.1: 30.0, 0.5: 39.0, 5.0: 40.0, math.inf: 40.0}).endswith(
        "n=40: within 0.1 s 75.0%, 0.5 s 97.5%"
    )
    assert "n=0" in own_figures({0.5: 0.0, math.inf: 0.0})
