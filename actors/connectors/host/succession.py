"""Who follows on a connector process: a fresh one on a bloated one that works, a spare on one that has died."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from actors.connectors.host import sparing
from actors.connectors.host.connectors import Connectors
from actors.connectors.host.fault import ConnectorFault
from actors.connectors.host.launch import Place
from actors.connectors.host.recycling import Recycling
from actors.connectors.host.roster import Roster
from actors.connectors.host.sends import Sends
from actors.connectors.host.spare import Spare
from actors.settings import Settings
from actors.supervision.decision import add_restart
from actors.supervision.spec import Intensity

log = logging.getLogger(__name__)

FEW = 2
"""Sessions that may be connecting, in the whole fleet, when a spare is started: some fail all the time."""


class Succession:
    """``post`` sends a message to an actor; ``crowd`` is how many sessions of other hosts wait to connect."""

    def __init__(
        self,
        connectors: Connectors,
        sends: Sends,
        roster: Roster,
        settings: Settings,
        name: str,
        place: Place,
        post: Callable[[Any, Any], None],
        crowd: Callable[[], int],
    ) -> None:
        self._connectors = connectors
        self._crowd = crowd
        self.spare = Spare(settings, name, place.connector, self._is_quiet)
        self.recycling = Recycling(connectors, sends, roster, settings, place, post, self.spare)
        self._count = 0
        self._taken: tuple[float, ...] = ()
        """When spares took over, as far back as the restart intensity looks."""
        self._use(settings)

    def use(self, settings: Settings) -> None:
        """New settings."""
        self._use(settings)
        self.recycling.use(settings)
        self.spare.use(settings)

    def _use(self, settings: Settings) -> None:
        bound = settings.supervision.intensity
        self._intensity = Intensity(bound.restarts, bound.period)

    async def run(self) -> None:
        """Looks after both for ever, once there is a process."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.recycling.run())
            group.create_task(self.spare.run())

    def report(self) -> dict[str, int]:
        """For the metrics: what happened in the life of this host."""
        return {"recycled": self.recycling.count, "succeeded": self._count}

    @property
    def possible(self) -> bool:
        """Whether a spare may take over now."""
        current = self._connectors.current
        return sparing.may_succeed(
            spare=self.spare.there,
            ended=current is not None and current.gone,
            moving=self.recycling.busy or self._connectors.retiring is not None,
            stopping=self._connectors.stopping,
            taken=self._taken,
            now=time.monotonic(),
            intensity=self._intensity,
        )

    async def succeed(self, why: str) -> bool:
        """Whether there is another process in the place of the present one, which has ended for certain."""
        spare = self.spare.take() if self.possible else None
        if spare is None:
            return False
        began = time.monotonic()
        self._taken, _ = add_restart(self._taken, began, self._intensity)
        try:
            fresh = await self._connectors.start(threads=True, spare=spare)
            await self._connectors.present(fresh)
        except ConnectorFault as fault:
            log.error("no other connector process could take over: %s", fault)
            return False
        self._count += 1
        took = (time.monotonic() - began) * 1000
        log.warning("%s: connector process %d took its place within %.0f ms", why, fresh.popen.pid, took)
        return True

    def _is_quiet(self) -> bool:
        connecting = self._connectors.connecting()
        return connecting is not None and connecting + self._crowd() <= FEW
