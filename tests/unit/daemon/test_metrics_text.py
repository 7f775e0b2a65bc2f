import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from daemon.backend import SessionLive, SessionRecord
from daemon.metrics import supervision, table, text
from daemon.metrics.docs import PAGE, page
from daemon.metrics.sessions import SessionFamilies
from daemon.metrics.table import general, sessions

# What can be sent as UTF-8, without the line ends that Python's splitlines knows beyond the format's \n.
values = st.text(st.characters(codec="utf-8", exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))

GAUGE = table.Metric("some_gauge", "gauge", "A gauge.", ("first", "second"))


@given(values, values, st.floats(allow_nan=False))
def test_any_label_value_can_be_read_back(first: str, second: str, value: float) -> None:
    line = text.prefix(GAUGE, (first, second)) + text.number(value)
    assert "\n" not in line
    (family,) = text_string_to_metric_families(text.family(GAUGE, [line]))
    (sample,) = family.samples
    assert sample.labels == {"first": first, "second": second}
    assert sample.value == value


@given(st.text(st.sampled_from('\\n"\n{},= a')))
def test_the_characters_of_the_format_itself(value: str) -> None:
    (family,) = text_string_to_metric_families(text.family(GAUGE, [text.prefix(GAUGE, (value, "x")) + "1"]))
    assert family.samples[0].labels["first"] == value


def test_labels_are_those_of_the_table() -> None:
    with pytest.raises(ValueError, match="has the labels"):
        text.prefix(GAUGE, ("one",))


def test_a_family_without_samples_does_not_appear() -> None:
    assert text.family(GAUGE, []) == ""


def test_counters_and_only_they_end_in_total() -> None:
    with pytest.raises(ValueError, match="_total"):
        table.Metric("a_total", "gauge", "x")
    with pytest.raises(ValueError, match="_total"):
        table.Metric("a", "counter", "x")


def test_names_are_unique_and_ours() -> None:
    names = [metric.name for metric in table.METRICS]
    assert len(names) == len(set(names))
    assert all(metric.name.startswith("wavigil_") for metric in table.METRICS if metric not in general.PROCESS)


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m daemon.metrics.docs"


def test_departed_sessions_leave_no_series_and_a_changed_connector_shows() -> None:
    families = SessionFamilies()
    live = SessionLive(status="connected", score=90)
    first = families.render({s: SessionRecord(s, "baileys") for s in ("a", "b")}, lambda _: live)
    assert 'session="b"' in first
    second = families.render({"a": SessionRecord("a", "simulator")}, lambda _: live)
    assert 'session="b"' not in second
    assert 'wavigil_session_up{session="a",connector="simulator"} 1' in second
    assert list(families._prefixes) == ["a"]


def test_unknown_values_have_no_series() -> None:
    rendered = SessionFamilies().render({"a": SessionRecord("a", "baileys")}, lambda _: SessionLive())
    for metric in (sessions.SESSION_HEALTH_SCORE, sessions.SESSION_LAST_SEEN, sessions.SESSION_ROUND_TRIP):
        assert metric.name not in rendered


def test_one_status_is_set() -> None:
    rendered = SessionFamilies().render(
        {"a": SessionRecord("a", "baileys")}, lambda _: SessionLive(status="pairing", rtt_ms={"p50": 40.0})
    )
    states = dict(re.findall(r'wavigil_session_status\{session="a",status="(\w+)"\} (\d)', rendered))
    assert states == {status: str(int(status == "pairing")) for status in sessions.SESSION_STATUSES}
    assert 'wavigil_session_round_trip_seconds{session="a",quantile="0.5"} 0.04\n' in rendered


def test_the_tree_is_summed_up_by_kind() -> None:
    def node(kind: str, state: str, restarts: int | None, *children: object) -> dict[str, object]:
        return {"id": "x", "kind": kind, "state": state, "restarts": restarts, "children": list(children)}

    tree = node(
        "supervisor", "running", 0, node("session", "running", 2), node("session", "parked", 3, node("x", "y", None))
    )
    rendered = supervision.render(tree)
    assert 'wavigil_supervision_children{kind="session",state="parked"} 1\n' in rendered
    assert 'wavigil_supervision_children{kind="x",state="y"} 1\n' in rendered
    assert supervision.render(None) == ""


def test_liveness_is_counted_and_canaries_show_where_there_are_any() -> None:
    live = {
        "a": SessionLive(state="open", liveness="deaf", canaries={"sent": 3, "missed": 2}, rhythm_since=1000.0),
        "b": SessionLive(state="open", liveness="quiet", canaries={"sent": 0}),
        "c": SessionLive(state="waiting"),
    }
    rendered = SessionFamilies().render({id: SessionRecord(id, "baileys") for id in live}, live.__getitem__)
    found = dict(re.findall(r'wavigil_sessions_by_liveness\{liveness="(\w+)"\} (\d)', rendered))
    assert found == {"alive": "0", "quiet": "1", "deaf": "1", "half_open": "0", "outbound_stuck": "0"}
    assert 'wavigil_session_canaries_total{session="a",outcome="missed"} 2\n' in rendered
    assert 'wavigil_session_canaries_total{session="b"' not in rendered
    assert 'wavigil_session_rhythm_age_seconds{session="a"}' in rendered
    assert 'wavigil_session_rhythm_age_seconds{session="b"}' not in rendered
