"""Who may connect when: a token bucket for all connections, and a bound on the pairings that begin at a time."""

import asyncio
from collections.abc import Callable

from actors.connectors.protocol import Admission
from actors.runtime.bucket import Bucket


class Ticket:
    """One connection's place in the queue."""

    __slots__ = ("_start", "admitted", "pairing")

    def __init__(self, pairing: bool, start: Callable[[], None]) -> None:
        self.pairing = pairing
        self.admitted = False
        self._start = start

    def start(self) -> None:
        """Tells the connection that it is its turn."""
        self.admitted = True
        self._start()


class Gate:
    """Admits connections in the order of their arrival; only a pairing that waits for another one is overtaken."""

    def __init__(self, bounds: Admission, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pairings = bounds.pairings
        self._running = 0
        self._waiting: list[Ticket] = []
        self._bucket = Bucket(bounds.connects_per_second, bounds.burst, float(bounds.burst), loop.time())
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, ticket: Ticket) -> int:
        """Queues a ticket, or starts it at once; its place, 0 when it was started."""
        self._waiting.append(ticket)
        self._admit()
        return self._waiting.index(ticket) + 1 if ticket in self._waiting else 0

    def leave(self, ticket: Ticket) -> None:
        """The connection waits no more; if it was a pairing, its costly part is over.  May be said again."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)
        elif ticket.admitted and ticket.pairing:
            ticket.pairing = False
            self._running -= 1
            self._admit()

    def change(self, bounds: Admission) -> None:
        """New bounds; those who wait keep their order."""
        self._pairings = bounds.pairings
        refilled = self._bucket.refilled(self._loop.time())
        self._bucket = refilled.bounded(bounds.connects_per_second, bounds.burst)
        self._admit()

    def _admit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while (ticket := self._next()) is not None:
            bucket = self._bucket.refilled(self._loop.time())
            taken = bucket.taken()
            if taken is None:
                wait = bucket.wait()
                if wait is not None:
                    self._timer = self._loop.call_later(wait, self._admit)
                return
            self._bucket = taken
            self._waiting.remove(ticket)
            self._running += ticket.pairing
            ticket.start()

    def _next(self) -> Ticket | None:
        free = self._running < self._pairings
        return next((ticket for ticket in self._waiting if free or not ticket.pairing), None)
