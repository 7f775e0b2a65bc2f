"""What the simulated server holds for a session, and hands over in order while the session listens."""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.connectors.simulator.session import Session

CAPACITY = 1000
"""Items that wait for a session; the oldest are dropped."""
REMEMBERED = 512
"""Ids of accepted messages that the server remembers per sender, so that a repeated one is not delivered twice."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to the session."""

    message_id: str
    sender: str
    """Phone, digits."""
    text: str | None
    timestamp: int
    """When it was sent: milliseconds since 1970."""
    source: "Session | None" = None
    """The session that sent it, if it lives in this process: it gets the receipt."""


@dataclass(frozen=True, slots=True)
class Slip:
    """A receipt for a message that the session sent."""

    message_id: str
    type: str


@dataclass(frozen=True, slots=True)
class Garbled:
    """A message that the session can't decrypt."""

    message_id: str
    sender: str
    """Phone, digits."""


Item = Letter | Slip | Garbled
Held = tuple[float, Item]


class Mailbox:
    """What waits for one session, in order."""

    __slots__ = ("_accepted", "dropped", "items")

    def __init__(self) -> None:
        self.items: deque[Held] = deque()
        self.dropped = 0
        self._accepted: dict[str, None] = {}

    def put(self, item: Item, due: float) -> None:
        """Adds an item at the end; it arrives at ``due`` (seconds on the loop's clock) at the earliest."""
        if len(self.items) >= CAPACITY:
            self.items.popleft()
            self.dropped += 1
        self.items.append((due, item))

    def accept(self, message_id: str) -> bool:
        """Notes a message from this session; False if it was accepted before."""
        if message_id in self._accepted:
            return False
        self._accepted[message_id] = None
        if len(self._accepted) > REMEMBERED:
            del self._accepted[next(iter(self._accepted))]
        return True
