"""Restarts are counted once each, whatever supervisor died in between, and a sum never falls."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from actors.supervision import tally
from actors.supervision.spec import ChildSpec
from actors.supervision.state import Child
from actors.supervision.tally import Tally


def child(restarts: int, id: str = "a", kind: str = "session") -> Child:
    return replace(Child(ChildSpec(id, kind)), restarts=restarts)


def test_the_first_start_is_no_restart() -> None:
    it = tally.started(Tally(), child(0))
    assert it.total == {}
    assert tally.started(it, child(1)).total == {"session": 1}


def test_a_child_that_was_parked_and_one_that_was_made_again() -> None:
    it = tally.started(tally.started(Tally(), child(0)), child(6))
    assert it.total == {"session": 6}
    again = tally.started(it, child(0))  # removed, added: its own count began anew
    assert again.total == {"session": 6}
    assert tally.started(again, child(1)).total == {"session": 7}


def test_what_a_supervisor_told_outlives_it() -> None:
    it = tally.told(Tally(), "shard-0", 1, {"session": 3})
    it = tally.told(it, "shard-0", 1, {"session": 4, "connector-host": 1})
    it = tally.told(it, "shard-0", 5, {"session": 1})
    assert it.total == {"session": 5, "connector-host": 1}
    assert tally.told(it, "shard-0", 1, {"session": 9}) == it  # late


@given(
    st.lists(
        st.tuples(st.sampled_from(["shard-0", "shard-1"]), st.sampled_from(["restart", "die", "lost"])),
        max_size=60,
    )
)
def test_the_sum_never_falls_and_misses_only_what_was_told_last(steps: list[tuple[str, str]]) -> None:
    it, incarnation, sums, total, lost = Tally(), {"shard-0": 1, "shard-1": 2}, {"shard-0": 0, "shard-1": 0}, 0, 0
    untold = {"shard-0": 0, "shard-1": 0}
    for shard, what in steps:
        before = it.total.get("session", 0)
        if what == "die":
            lost += untold[shard]
            incarnation[shard], sums[shard], untold[shard] = max(incarnation.values()) + 1, 0, 0
        else:
            sums[shard], total = sums[shard] + 1, total + 1
            untold[shard] = untold[shard] + 1 if what == "lost" else 0
            if what == "restart":
                it = tally.told(it, shard, incarnation[shard], {"session": sums[shard]})
        assert it.total.get("session", 0) >= before
    assert it.total.get("session", 0) == total - lost - sum(untold.values())
