"""What the simulator tells its host and holds until the host has stored it."""

import asyncio
import contextlib
from collections import deque
from dataclasses import replace

from actors.connectors.fields import BadField
from actors.connectors.link_events import Kept
from actors.connectors.link_frames import to_frame
from actors.connectors.protocol import WINDOW
from actors.runtime.rpc import Link


class KeptEvents:
    """Numbers events on the host's link, at most WINDOW of them unconfirmed; further ones wait in their order."""

    def __init__(self) -> None:
        self._host: Link | None = None
        self._told = 0
        self._stored = 0
        self._waiting: deque[tuple[Kept, asyncio.Future[None]]] = deque()
        """One a connection at the most, since each waits for the end of its last."""
        self._unconfirmed: deque[tuple[int, asyncio.Future[None]]] = deque()

    def attach(self, host: Link) -> None:
        """The host is there."""
        self._host = host
        self._go_on()

    async def tell(self, event: Kept) -> None:
        """Returns when the host has stored the event."""
        entry = (event, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        self._go_on()
        try:
            await entry[1]
        except asyncio.CancelledError:  # the connection has ended: a later one tells it again
            with contextlib.suppress(ValueError):
                self._waiting.remove(entry)
            raise

    def stored(self, upto: int) -> None:
        """The host has everything up to that number.  Raises BadField for one that was not told."""
        if upto > self._told:
            raise BadField("upto", f"only {self._told} events were told, got {upto}")
        self._stored = max(self._stored, upto)
        while self._unconfirmed and self._unconfirmed[0][0] <= upto:
            _, done = self._unconfirmed.popleft()
            if not done.done():  # else its connection has ended
                done.set_result(None)
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._host is not None and self._told - self._stored < WINDOW:
            event, done = self._waiting.popleft()
            self._told += 1
            self._unconfirmed.append((self._told, done))
            self._host.send(to_frame(replace(event, n=self._told)))
