"""What operators see and steer of recovery, over api.db and the actors."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from actors.recovery.pauses import Pause
from actors.settings import Settings
from actors.store.engine import Database
from actors.store.errors import StoreError
from daemon import pauses
from daemon.fleet import Fleet
from daemon.pauses import Pauses

log = logging.getLogger(__name__)

FORGET_PERIOD = 3600.0
"""Seconds between two times that old pauses are forgotten."""


class LiveRecovery:
    """Implements ``daemon.backend.Recovery``."""

    def __init__(
        self, settings: Settings, fleet: Fleet, database: Database, publish: Callable[[], Awaitable[None]]
    ) -> None:
        self._settings = settings
        self._fleet = fleet
        self._database = database
        self._pauses = Pauses(fleet, publish)

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run as long as the daemon does."""
        return [self._forget()]

    async def _forget(self) -> None:
        while True:
            try:
                await pauses.forget(self._database, time.time() - self._settings.events_keep)
            except StoreError as error:
                self._database.watch.tell(log, "old pauses can't be forgotten yet", error)
            await asyncio.sleep(FORGET_PERIOD)

    def pauses(self) -> Sequence[Pause]:
        """See Recovery."""
        return self._pauses.active()

    def pauses_of(self, session: str) -> Sequence[Pause]:
        """See Recovery."""
        return self._pauses.covering(self._fleet.get(session))

    async def pause(
        self, who: str, session: str | None, labels: Mapping[str, str], until: float | None, reason: str
    ) -> Pause:
        """See Recovery."""
        return await self._pauses.add(who, session, labels, until, reason)

    async def resume(self, pause: int, who: str) -> None:
        """See Recovery."""
        await self._pauses.end(pause, who)
