"""Main's end of the gateway: connects, connects again when the actors start afresh, asks and listens."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, LinkClosed, RemoteError
from daemon.backend import BackendError

log = logging.getLogger(__name__)

RETRY = 0.1
"""Seconds between attempts to connect."""

_REASONS = {
    "unknown_session",
    "conflict",
    "not_pairing",
    "not_open",
    "refused",
    "unavailable",
    "timeout",
    "invalid",
    "limit",
}


class GatewayClient:
    """``connected`` runs after each connection, before requests are let through; ``on_event`` sees what is pushed."""

    def __init__(
        self, path: str, connected: Callable[["GatewayClient"], Awaitable[None]], on_event: Callable[[Frame], None]
    ) -> None:
        self._path = path
        self._connected = connected
        self._on_event = on_event
        self._link: Link | None = None
        self._ready = False

    @property
    def up(self) -> bool:
        """Whether the actors can be reached now."""
        return self._ready and self._link is not None and not self._link.closed.is_set()

    async def run(self) -> None:
        """Keeps the connection for ever."""
        while True:
            try:
                link = await Link.connect(self._path, on_event=lambda _link, frame: self._on_event(frame))
            except OSError:
                await asyncio.sleep(RETRY)
                continue
            self._link = link
            try:
                await self._connected(self)
                self._ready = True
                await link.closed.wait()
            except BackendError as error:
                log.info("the gateway did not take the plan, trying again: %s", error)
            finally:
                self._ready = False
                self._link = None
                link.abort()
            await asyncio.sleep(RETRY)  # also after a link that ended at once: never in a tight loop

    async def request(self, cmd: str, deadline: float = 15.0, **fields: Any) -> Any:
        """Asks the actors; before ``connected`` is done only plans go through.  Raises BackendError."""
        link = self._link
        if link is None or not (self._ready or cmd == "plan"):  # without the plan the gateway knows no session
            raise BackendError("unavailable", "the actor system is starting")
        try:
            return await link.request(cmd, deadline, **fields)
        except LinkClosed:
            raise BackendError("unavailable", "the actor system restarted meanwhile") from None
        except RemoteError as error:
            raise BackendError(error.code if error.code in _REASONS else "refused", error.message) from None
        except TimeoutError:
            raise BackendError("timeout", "the actors did not answer in time") from None
