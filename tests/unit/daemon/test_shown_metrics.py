"""How soon main shows what happens to sessions."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.store.records import OutboxEvent
from daemon.metrics.shown import ShownMetrics

NAME = "wavigil_session_state_shown_seconds"


def values(metrics: ShownMetrics) -> dict[str, float]:
    """By name, of buckets by their upper bound."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {s.labels.get("le", s.name.removeprefix(f"{NAME}_")): s.value for family in families for s in family.samples}


def test_changes_of_state_count_with_the_time_until_they_are_shown() -> None:
    metrics = ShownMetrics()
    assert values(metrics)["count"] == 0
    for number, seconds in enumerate((0.02, 0.3, 2.0), start=1):
        metrics.event(OutboxEvent(number, 1000.0, "session.state", "a", {"state": "waiting"}), 1000.0 + seconds)
    metrics.event(OutboxEvent(4, 1000.0, "session.message", "a", {}), 1060.0)
    found = values(metrics)
    assert found["count"] == 3
    assert found["sum"] == pytest.approx(2.32)
    assert (found["0.01"], found["0.025"], found["0.5"], found["2.5"], found["+Inf"]) == (0, 1, 2, 3, 3)


def test_a_clock_that_was_set_back_makes_no_negative_times() -> None:
    metrics = ShownMetrics()
    metrics.event(OutboxEvent(1, 1000.0, "session.state", "a", {"state": "open"}), 940.0)
    assert (values(metrics)["count"], values(metrics)["sum"], values(metrics)["0.01"]) == (1, 0, 1)
