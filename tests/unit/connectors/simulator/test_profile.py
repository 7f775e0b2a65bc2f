from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.fields import BadField
from actors.connectors.rating import Rating
from actors.connectors.simulator.faults import Fault
from actors.connectors.simulator.profile import Profile, Step


def test_nothing_is_the_default() -> None:
    assert Profile.read(None) == Profile.read({}) == Profile()


def test_reads_everything() -> None:
    profile = Profile.read(
        {
            "latency_ms": 40,
            "jitter_ms": 0.5,
            "paired": True,
            "phone": "15550001",
            "quality": "medium",
            "script": [{"after_s": 1, "fault": "drop", "repeat_s": 60}, {"after_s": 5, "fault": "deaf", "for_s": 9}],
        }
    )
    assert (profile.latency_ms, profile.jitter_ms, profile.paired, profile.phone) == (40, 0.5, True, "15550001")
    assert profile.quality is Rating.MEDIUM
    assert [(step.after_s, step.repeat_s, step.fault.name) for step in profile.script] == [
        (1, 60, "drop"),
        (5, None, "deaf"),
    ]


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ([], "profile"),
        ({"latency": 1}, "profile.latency"),
        ({"latency_ms": -1}, "profile.latency_ms"),
        ({"jitter_ms": "1"}, "profile.jitter_ms"),
        ({"paired": 1}, "profile.paired"),
        ({"quality": "splendid"}, "profile.quality"),
        ({"script": [{"after_s": 1, "fault": "quality"}]}, "profile.script[0].rating"),
        ({"phone": "+1555"}, "profile.phone"),
        ({"phone": 15550001}, "profile.phone"),
        ({"script": {}}, "profile.script"),
        ({"script": [{"after_s": 1, "fault": "drop"}, 5]}, "profile.script[1]"),
        ({"script": [{"fault": "drop"}]}, "profile.script[0].after_s"),
        ({"script": [{"after_s": 1, "fault": "flood"}]}, "profile.script[0].fault"),
        ({"script": [{"after_s": 1, "fault": "drop", "repeat_s": 0}]}, "profile.script[0].repeat_s"),
        ({"script": [{"after_s": 1, "fault": "drop", "often": 2}]}, "profile.script[0].often"),
    ],
)
def test_bad_profile_names_the_key(values: Any, key: str) -> None:
    with pytest.raises(BadField) as caught:
        Profile.read(values)
    assert caught.value.path == key


steps = st.builds(
    Step,
    st.floats(0, 1000),
    st.just(Fault("drop")),
    st.none() | st.floats(0.001, 1000),
)


@given(steps, st.floats(0, 10_000))
def test_next_moment_is_later_and_the_first_one(step: Step, elapsed: float) -> None:
    due = step.next_after(elapsed)
    if due is None:
        assert step.repeat_s is None
        assert elapsed >= step.after_s
        return
    assert due > elapsed
    assert due >= step.after_s
    if due > step.after_s:
        assert step.repeat_s is not None
        assert due - elapsed <= step.repeat_s * (1 + 1e-6)


@given(st.lists(steps, max_size=5), st.floats(0, 10_000))
def test_next_step_is_the_earliest(script: list[Step], elapsed: float) -> None:
    found = Profile(script=tuple(script)).next_step(elapsed)
    moments = [due for step in script if (due := step.next_after(elapsed)) is not None]
    if found is None:
        assert moments == []
    else:
        assert found[0] == min(moments)
        assert len(found[1]) == moments.count(found[0])
