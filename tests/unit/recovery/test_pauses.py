import math

from hypothesis import given
from hypothesis import strategies as st

from actors.recovery.pauses import Audience, Pause, covering, ends, in_force, paused_until

TIMES = st.floats(0, 100)
ENDS = st.none() | TIMES
LABELS = st.dictionaries(st.sampled_from(["team", "tier"]), st.sampled_from(["a", "b"]))
PAUSES = st.builds(Pause, st.just(1), TIMES, st.just("test"), st.none() | st.sampled_from("xy"), LABELS, ENDS)


@given(st.lists(PAUSES), LABELS, TIMES)
def test_the_last_pause_to_end_counts(pauses: list[Pause], labels: dict[str, str], now: float) -> None:
    until = paused_until(pauses, "x", labels, now)
    under = covering(pauses, "x", labels, now)
    assert (until is None) == (not under)
    for pause in under:
        assert until is not None
        assert until >= (math.inf if pause.until is None else pause.until) > now
    # one that is ended takes nothing of the others along
    for pause in pauses:
        others = [other for other in pauses if other is not pause]
        assert {id(p) for p in covering(others, "x", labels, now)} >= {id(p) for p in under} - {id(pause)}


@given(PAUSES, TIMES, TIMES)
def test_one_that_lasted_at_a_time_was_not_over_then(pause: Pause, at: float, ended: float) -> None:
    assert not (pause.lasted(at) and pause.over(at))
    closed = Pause(1, pause.at, "test", pause.session, pause.labels, pause.until, "", ended, "somebody")
    assert closed.over(at)
    assert closed.lasted(at) == (pause.lasted(at) and at < ended)


def test_whom_a_pause_covers() -> None:
    assert Pause(1, 0.0, "t").covers("x", {})
    assert Pause(1, 0.0, "t", "x", {"team": "a"}).covers("x", {})
    assert not Pause(1, 0.0, "t", "x").covers("y", {})
    both = Pause(1, 0.0, "t", None, {"team": "a", "tier": "b"})
    assert both.covers("x", {"team": "a", "tier": "b", "more": "c"})
    assert not both.covers("x", {"team": "a"})


def test_only_the_shard_where_a_session_stands_speaks_for_it() -> None:
    told = {"shard-0": {"a": math.inf, "b": 9.0}, "shard-1": {"c": 5.0}}
    assert in_force(told, {"a": "shard-1", "b": "shard-0", "c": "shard-1"}) == {"b": 9.0, "c": 5.0}


@given(st.lists(PAUSES, max_size=6), st.dictionaries(st.sampled_from("xyz"), LABELS), TIMES)
def test_of_many_sessions_it_is_the_same(pauses: list[Pause], sessions: dict[str, dict[str, str]], now: float) -> None:
    each = {id: paused_until(pauses, id, labels, now) for id, labels in sessions.items()}
    assert ends(pauses, sessions, now) == {id: end for id, end in each.items() if end is not None}
    audience = Audience(sessions)
    for pause in pauses:
        assert audience.of(pause) == {id for id, labels in sessions.items() if pause.covers(id, labels)}
