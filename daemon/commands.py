"""Commands to the actors of sessions, through the gateway."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from daemon.backend import BackendError
from daemon.gateway_client import GatewayClient

log = logging.getLogger(__name__)

RETRY_PERIOD = 0.2
"""Seconds between attempts to reach a session's actor that is starting."""
AWAY = frozenset({"unavailable", "timeout"})
"""Reasons that an actor is not to be reached now, and may be soon."""


class Commands:
    """``known`` raises BackendError for a session that is not."""

    def __init__(self, gateway: GatewayClient, known: Callable[[str], object]) -> None:
        self._gateway = gateway
        self._known = known

    async def give(self, session: str, name: str, deadline: float = 15.0, **args: Any) -> Any:
        """The session's answer, within ``deadline`` seconds.  Raises BackendError."""
        self._known(session)
        return await self._gateway.request(
            "command", deadline + 1.0, session=session, name=name, args=args, patience=deadline
        )

    async def patiently(self, session: str, name: str, patience: float, once: float, **args: Any) -> Any:
        """A command, repeated each ``once`` seconds, to a session whose actor may just be starting or have died."""
        now = asyncio.get_running_loop().time
        end = now() + patience
        while True:
            try:
                return await self.give(session, name, max(0.1, min(once, end - now())), **args)
            except BackendError as error:
                if error.reason not in AWAY or now() + RETRY_PERIOD > end:
                    raise
            await asyncio.sleep(RETRY_PERIOD)

    async def switch(self, session: str, enabled: bool) -> None:
        """Starts or stops a session; one that is not to be reached follows what is stored when it is back."""
        try:
            await self.give(session, "start" if enabled else "stop")
        except BackendError as error:
            if error.reason not in AWAY:
                raise
            log.info("%s will follow when its actor is back: %s", session, error.message)
