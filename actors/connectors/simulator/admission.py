"""Who may connect when: as the host says, or else by a token bucket and a bound on pairings that begin at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

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
        self._by_host = bounds.by_host
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

    def admit(self, ticket: Ticket) -> bool:
        """The host lets this one in; False if it does not wait for that."""
        if not self._by_host or ticket not in self._waiting:
            return False
        self._start(ticket)
        return True

    def change(self, bounds: Admission) -> None:
        """New bounds; those who wait keep their order."""
        now = self._loop.time()
        # while the host lets in, nothing is saved up here
        before = replace(self._bucket, tokens=0.0, at=now) if self._by_host else self._bucket.refilled(now)
        self._pairings, self._by_host = bounds.pairings, bounds.by_host
        self._bucket = before.bounded(bounds.connects_per_second, bounds.burst)
        self._admit()

    def _admit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while not self._by_host and (ticket := self._next()) is not None:
            bucket = self._bucket.refilled(self._loop.time())
            taken = bucket.taken()
            if taken is None:
                wait = bucket.wait()
                if wait is not None:
                    self._timer = self._loop.call_later(wait, self._admit)
                return
            self._bucket = taken
            self._start(ticket)

    def _start(self, ticket: Ticket) -> None:
        self._waiting.remove(ticket)
        self._running += ticket.pairing
        ticket.start()

    def _next(self) -> Ticket | None:
        free = self._running < self._pairings
        return next((ticket for ticket in self._waiting if free or not ticket.pairing), None)
