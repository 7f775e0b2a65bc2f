"""Families of recovery, folded from its outbox as it grows: a scrape reads no database.

Counters begin at 0 with each start of main, as Prometheus expects of a process.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import prometheus_client

from actors.events import EventType
from actors.store.records import Episode, OutboxEvent
from daemon.metrics.table import Metric
from daemon.metrics.table import recovery as table

HALTED = "halted"
OTHER = "other"
"""Reason of an escalation by a rule that the table does not know."""


@dataclass(frozen=True, slots=True)
class _Open:
    """An episode that goes on."""

    cause: str
    """Of its first failure."""
    strategy: str
    """What is being done."""


class RecoveryMetrics:
    """The instruments, in a registry of their own.  ``paused`` is set at each scrape."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
        self.registry = prometheus_client.CollectorRegistry()
        self._episodes: dict[int, _Open] = {}
        self._started = self._counter(table.RECOVERY_STARTED)
        self._ended = self._counter(table.RECOVERY_ENDED)
        self._open = self._gauge(table.RECOVERY_OPEN)
        self._actions = self._counter(table.RECOVERY_ACTIONS)
        self._loops = self._counter(table.RECOVERY_LOOPS)
        self._escalations = self._counter(table.RECOVERY_ESCALATIONS)
        self._detect = self._histogram(table.RECOVERY_DETECT, table.RECOVERY_DETECT_BUCKETS)
        self._recover = self._histogram(table.RECOVERY_RECOVER, table.RECOVERY_RECOVER_BUCKETS)
        self.paused = self._gauge(table.RECOVERY_PAUSED)
        for reason in table.ESCALATION_REASONS:
            self._escalations.labels(reason)

    def _counter(self, metric: Metric) -> prometheus_client.Counter:
        return prometheus_client.Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _gauge(self, metric: Metric) -> prometheus_client.Gauge:
        return prometheus_client.Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def _histogram(self, metric: Metric, buckets: tuple[float, ...]) -> prometheus_client.Histogram:
        return prometheus_client.Histogram(
            metric.name, metric.help, metric.labels, buckets=buckets, registry=self.registry
        )

    def load(self, episodes: Iterable[Episode]) -> None:
        """The episodes that go on where the events that follow begin."""
        self._episodes = {episode.id: _Open(episode.cause, episode.strategy) for episode in episodes}
        self._open.set(len(self._episodes))

    def event(self, event: OutboxEvent) -> None:
        """An event of recovery's outbox; what is none of an episode counts nothing."""
        number = event.data.get("episode")
        if isinstance(number, int) and event.type in _TOLD:
            self._fold(number, event.type, event.at, event.data)
            self._open.set(len(self._episodes))

    def _fold(self, number: int, type: str, at: float, data: Any) -> None:
        cause, strategy = str(data.get("cause")), str(data.get("strategy"))
        if type == EventType.RECOVERY_STARTED:
            self._episodes[number] = _Open(cause, strategy)
            self._started.labels(cause).inc()
            self._detect.labels(cause).observe(max(0.0, at - float(data.get("since", at))))
            return
        known = self._episodes.get(number, _Open(cause, strategy))
        match type:
            case EventType.RECOVERY_ACTION:
                if number in self._episodes and not _first(data):
                    self._actions.labels(known.strategy, "failed").inc()
                self._episodes[number] = replace(known, strategy=strategy)
            case EventType.RECOVERY_LOOP:
                self._loops.labels(known.cause).inc()
            case EventType.RECOVERY_ESCALATED:
                rule = str((data.get("why") or {}).get("rule"))
                self._escalations.labels(rule if rule in table.ESCALATION_REASONS else OTHER).inc()
                if strategy != known.strategy:
                    self._actions.labels(known.strategy, "harmful" if rule == "harm" else "failed").inc()
                    self._episodes[number] = replace(known, strategy=strategy)
            case _:
                self._end(number, known, strategy, data)

    def _end(self, number: int, known: _Open, strategy: str, data: Any) -> None:
        outcome = str(data.get("outcome"))
        self._episodes.pop(number, None)
        self._ended.labels(known.cause, strategy, outcome).inc()
        if outcome == "healed":
            self._actions.labels(strategy, "helped").inc()
            if not data.get("held") and isinstance(data.get("seconds"), int | float):
                self._recover.labels(known.cause).observe(max(0.0, data["seconds"]))
        elif outcome == HALTED:
            if strategy != known.strategy:
                self._actions.labels(known.strategy, "failed").inc()
            self._actions.labels(strategy, "final").inc()
        else:
            self._actions.labels(strategy, "superseded").inc()

    def render(self) -> bytes:
        """The families in the text format."""
        return prometheus_client.generate_latest(self.registry)


_TOLD = frozenset(
    {
        EventType.RECOVERY_STARTED,
        EventType.RECOVERY_LOOP,
        EventType.RECOVERY_ACTION,
        EventType.RECOVERY_ESCALATED,
        EventType.RECOVERY_SUCCEEDED,
        EventType.RECOVERY_STOPPED,
    }
)


def _first(data: Any) -> bool:
    """Whether nothing was done before in that episode: the first order of one whose session believed to be open."""
    return (data.get("why") or {}).get("rule") in {"first", "forced"} and not data.get("attempts")
