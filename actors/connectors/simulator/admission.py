"""Who may connect when: a token bucket for all connections, and a bound on the pairings that begin at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from actors.connectors.protocol import Admission

_ROUNDING = 1e-9
"""Share of a token that may be missing: what floating point loses, not what the bound gives away."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket as of ``at`` (seconds on any clock that only goes forward)."""

    rate: float
    """Tokens per second; 0 admits nobody once the bucket is empty."""
    burst: int
    tokens: float
    at: float

    def refilled(self, now: float) -> "Bucket":
        """The bucket at ``now``."""
        gained = max(0.0, now - self.at) * self.rate
        return replace(self, tokens=min(float(self.burst), self.tokens + gained), at=max(self.at, now))

    def taken(self) -> "Bucket | None":
        """The bucket after one more connection; None if that has to wait."""
        if self.tokens < 1 - _ROUNDING:
            return None
        return replace(self, tokens=max(0.0, self.tokens - 1))

    def wait(self) -> float | None:
        """Seconds until there is a token; None: never at this rate."""
        missing = max(0.0, 1 - self.tokens)
        return None if self.rate <= 0 else missing / self.rate

    def bounded(self, rate: float, burst: int) -> "Bucket":
        """The bucket under new bounds: what is in it stays, as far as it fits."""
        return replace(self, rate=rate, burst=burst, tokens=min(self.tokens, float(burst)))


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
