"""A supervisor of wavigil's own: its policy and the timeouts of its children come from the configuration."""

from typing import Any

from actors.runtime import logs
from actors.settings import Settings
from actors.supervision.actor import Supervisor
from actors.supervision.spec import Backoff, ChildSpec, Intensity, Policy

LATE_AFTER = 2.0
"""Seconds by which a supervisor's look may be late without meaning that the machine stood still; less with a short
heartbeat timeout, of which a pause that is not forgiven may take a quarter only."""
STARTING = 4
"""Children of one supervisor that start at a time."""
START_TIMEOUT = 15.0
"""Seconds for a child to be up; more where the heartbeat timeout is more patient: a large fleet starts slowly."""


class Configured(Supervisor):
    """A supervisor whose policy comes from the configuration."""

    settings: Settings

    def use(self, settings: Settings) -> None:
        """These settings hold from now on, for children that are started as well."""
        self.settings = settings
        logs.set_level(settings.log_level)
        supervision = settings.supervision
        self.policy = Policy(
            intensity=Intensity(supervision.intensity.restarts, supervision.intensity.period),
            backoff=Backoff(supervision.backoff.min, supervision.backoff.max, supervision.backoff.reset_after),
            tick=supervision.tick,
            starting=STARTING,
            late_after=min(LATE_AFTER, supervision.heartbeat_timeout / 4),
            park_retry=supervision.park_retry,
        )

    def heartbeat(self) -> float:
        return self.settings.supervision.heartbeat

    def spec(self, id: str, kind: str, **options: Any) -> ChildSpec:
        """A child specification with the configured heartbeat timeout."""
        timeout = self.settings.supervision.heartbeat_timeout
        start = max(START_TIMEOUT, timeout)
        return ChildSpec(id, kind, heartbeat_timeout=timeout, start_timeout=start, **options)
