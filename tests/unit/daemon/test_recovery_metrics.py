"""What the events of recovery add up to."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.store.records import Episode, OutboxEvent
from daemon.metrics.recovery import RecoveryMetrics


class Story:
    """Events of one outbox, a second each."""

    def __init__(self) -> None:
        self.metrics = RecoveryMetrics()
        self.at = 1000.0

    def tell(self, type: str, episode: int = 1, cause: str = "deaf", strategy: str = "reconnect", **data: Any) -> None:
        self.at += 1.0
        told = {"episode": episode, "cause": cause, "strategy": strategy, "attempts": 0, **data}
        self.metrics.event(OutboxEvent(int(self.at), self.at, f"recovery.{type}", "a", told))

    def value(self, name: str, **labels: str) -> float | None:
        families = text_string_to_metric_families(self.metrics.render().decode())
        samples = [s for family in families for s in family.samples if s.name == f"wavigil_recovery_{name}"]
        found = [sample.value for sample in samples if sample.labels == labels]
        return found[0] if found else None


def test_an_episode_that_climbs_and_heals() -> None:
    story = Story()
    story.tell("started", since=941.0)
    assert story.value("episodes_open") == 1
    story.tell("action", why={"rule": "first"})
    story.tell("action", cause="connection_lost", strategy="restart", why={"rule": "climb"})
    story.tell("loop", cause="connection_lost", strategy="restart")
    story.tell("succeeded", cause="connection_lost", strategy="restart", outcome="healed", seconds=90.0)
    assert story.value("episodes_started_total", cause="deaf") == 1
    assert story.value("episodes_ended_total", cause="deaf", strategy="restart", outcome="healed") == 1
    assert story.value("episodes_open") == 0
    assert story.value("actions_total", strategy="reconnect", outcome="failed") == 1
    assert story.value("actions_total", strategy="restart", outcome="helped") == 1
    assert story.value("loops_total", cause="deaf") == 1
    assert story.value("time_to_detect_seconds_sum", cause="deaf") == pytest.approx(60.0)
    assert story.value("time_to_recover_seconds_bucket", cause="deaf", le="120.0") == 1
    assert story.value("time_to_recover_seconds_bucket", cause="deaf", le="60.0") == 0


def test_what_ends_otherwise_and_what_a_pause_held_up() -> None:
    story = Story()
    for number, outcome in enumerate(("halted", "operator", "healed"), start=1):
        story.tell("started", number, "connection_lost", since=story.at)
        strategy = "stop" if outcome == "halted" else "reconnect"
        type = "succeeded" if outcome == "healed" else "stopped"
        story.tell(type, number, "locked", strategy, outcome=outcome, seconds=4000.0, held=True)
    assert story.value("episodes_ended_total", cause="connection_lost", strategy="stop", outcome="halted") == 1
    assert story.value("actions_total", strategy="reconnect", outcome="failed") == 1
    assert story.value("actions_total", strategy="stop", outcome="final") == 1
    assert story.value("actions_total", strategy="reconnect", outcome="superseded") == 1
    assert story.value("time_to_recover_seconds_count", cause="connection_lost") is None


def test_escalations_have_few_reasons() -> None:
    story = Story()
    assert story.value("escalations_total", reason="budget") == 0
    story.metrics.load([Episode(7, "a", "deaf", "restart", 3, 900.0)])
    assert story.value("episodes_open") == 1
    story.tell("escalated", 7, strategy="restart", why={"rule": "budget"})
    story.tell("escalated", 7, strategy="slow_lane", why={"rule": "harm"})
    story.tell("escalated", 7, strategy="slow_lane", why={"rule": "15550100189"})
    story.tell("escalated", 7, strategy="slow_lane")
    assert story.value("escalations_total", reason="budget") == 1
    assert story.value("escalations_total", reason="harm") == 1
    assert story.value("escalations_total", reason="other") == 2
    assert story.value("actions_total", strategy="restart", outcome="harmful") == 1


def test_what_is_nothing_of_an_episode_counts_nothing() -> None:
    story = Story()
    before = story.metrics.render()
    for type, data in (
        ("recovery.outage", {}),
        ("recovery.started", {"episode": "x"}),
        ("session.state", {"episode": 1}),
    ):
        story.metrics.event(OutboxEvent(1, 1.0, type, None, data))
    assert story.metrics.render() == before
