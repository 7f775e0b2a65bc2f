"""What an actor sends: a queue for each receiver, of which only a few messages at a time are handed to Thespian.

Thespian's own bound is for all receivers together: 20 messages for one that hangs stop all that the sender says, its
heartbeats included, and 950 more block it inside ``send``.  One actor that hangs would take along whoever talks to it.
With a window for each receiver that bound is not needed: ``thespian_fixes`` lifts it.
"""

import collections
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from thespian.actors import Actor, ActorAddress
from thespian.system.transport import TransmitIntent

log = logging.getLogger(__name__)

WINDOW = 4
"""Messages under way to one receiver."""
LIMIT = 4096
"""Messages that wait for one receiver; beyond it the oldest is dropped: every message may get lost anyway."""

Transmit = Callable[[ActorAddress, Any, Callable[[], None]], None]
"""Hands a message to the transport; the callback comes when it was received, or can't be."""


@dataclass(slots=True)
class _Route:
    address: ActorAddress
    waiting: collections.deque[Any] = field(default_factory=lambda: collections.deque(maxlen=LIMIT))
    under_way: int = 0


class Outbox:
    """Order is kept for each receiver.  ``wake`` is called when ``flush`` has something to do again."""

    def __init__(self, transmit: Transmit, wake: Callable[[], None]) -> None:
        self._transmit = transmit
        self._wake = wake
        self._routes: dict[str, _Route] = {}  # by the address as text: addresses can't be hashed
        self._ready: dict[str, None] = {}
        self._flushing = False
        self.dropped = 0
        """Messages dropped at the limit since the process began."""

    def __len__(self) -> int:
        """How many messages wait."""
        return sum(len(route.waiting) for route in self._routes.values())

    def busy(self, address: ActorAddress) -> bool:
        """Whether something for that receiver waits or is under way."""
        return str(address) in self._routes

    def put(self, address: ActorAddress, message: Any) -> None:
        """Queues a message; it leaves with the next ``flush`` that finds room for it."""
        key = str(address)
        route = self._routes.setdefault(key, _Route(address))
        if len(route.waiting) == LIMIT - 1:
            log.error("%d messages wait for %s, which does not take them: the oldest are dropped", LIMIT, key)
        self.dropped += len(route.waiting) == LIMIT
        route.waiting.append(message)
        if route.under_way < WINDOW:
            self._ready[key] = None

    def flush(self) -> None:
        """Hands on what there is room for."""
        self._flushing = True
        while self._ready:
            key = next(iter(self._ready))
            del self._ready[key]
            route = self._routes[key]
            while route.waiting and route.under_way < WINDOW:
                route.under_way += 1
                self._transmit(route.address, route.waiting.popleft(), lambda key=key: self._done(key))  # type: ignore[misc]
        self._flushing = False

    def _done(self, key: str) -> None:
        route = self._routes[key]
        route.under_way -= 1
        if route.waiting:
            self._ready[key] = None
            if not self._flushing:
                self._wake()
        elif not route.under_way:
            del self._routes[key]
            self._ready.pop(key, None)  # a transport that is done at once gets here in the middle of a flush


def transmit_for(actor: Actor) -> Transmit:
    """As ``Actor.send`` does it in Thespian 4.0.1 (``ActorManager.actor_send``), which does not tell the outcome."""

    def transmit(address: ActorAddress, message: Any, done: Callable[[], None]) -> None:
        manager = actor._myRef  # noqa: SLF001 - see above
        intent = TransmitIntent(address, message, onError=manager.actor_send_fail)
        manager._send_intent(intent.addCallback(lambda *_: done(), lambda *_: done()))  # noqa: SLF001 - see above

    return transmit
