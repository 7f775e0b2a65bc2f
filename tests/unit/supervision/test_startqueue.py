from hypothesis import given
from hypothesis import strategies as st

from actors.supervision.startqueue import AT_A_TIME, PATIENCE, StartQueue

IDS = [f"shard-{n}" for n in range(10)]


def test_few_start_at_a_time_in_their_order() -> None:
    queue, first = StartQueue().wanted(IDS).admit(0.0)
    assert first == tuple(IDS[:AT_A_TIME])
    assert queue.admit(1.0)[1] == ()
    queue, then = queue.up("shard-1").admit(1.0)
    assert then == (IDS[AT_A_TIME],)


def test_one_that_is_never_ready_holds_up_nobody_for_long() -> None:
    queue, _ = StartQueue().wanted(IDS).admit(0.0)
    _, then = queue.admit(PATIENCE)
    assert then == tuple(IDS[AT_A_TIME : 2 * AT_A_TIME])


def test_what_is_not_wanted_any_more_is_not_started() -> None:
    queue, _ = StartQueue().wanted(IDS).admit(0.0)
    queue = queue.wanted(["shard-9"])
    _, then = queue.up("shard-0").up("shard-2").admit(1.0)
    assert then == ("shard-9",)


@given(st.lists(st.sampled_from([*IDS, "tick"]), max_size=60), st.sets(st.sampled_from(IDS)))
def test_everyone_wanted_starts_once_and_never_too_many(events: list[str], wanted: set[str]) -> None:
    queue, started, now = StartQueue().wanted(sorted(wanted)), list[str](), 0.0
    for event in [*events, *(["tick"] * (len(IDS) + 1))]:
        now += PATIENCE if event == "tick" else 0.1
        queue = queue if event == "tick" else queue.up(event)
        queue, ids = queue.admit(now)
        started += ids
        assert len(queue.starting) <= AT_A_TIME
    assert sorted(started) == sorted(wanted)
