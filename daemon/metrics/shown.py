"""How soon main shows what happens to sessions, folded from their events as it takes them over."""

import prometheus_client

from actors.events import EventType
from actors.store.records import OutboxEvent
from daemon.metrics.table import sessions as table


class ShownMetrics:
    """The instrument, in a registry of its own.  It begins at 0 with each start of main."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
        self.registry = prometheus_client.CollectorRegistry()
        self._delay = prometheus_client.Histogram(
            table.SESSION_STATE_SHOWN.name,
            table.SESSION_STATE_SHOWN.help,
            buckets=table.SESSION_STATE_SHOWN_BUCKETS,
            registry=self.registry,
        )

    def event(self, event: OutboxEvent, now: float) -> None:
        """An event that the API shows from ``now`` on, in seconds since 1970; only changes of state count."""
        if event.type == EventType.SESSION_STATE:
            self._delay.observe(max(0.0, now - event.at))  # below 0 if the clock was set back meanwhile

    def render(self) -> bytes:
        """The family in the text format."""
        return prometheus_client.generate_latest(self.registry)
