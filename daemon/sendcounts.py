"""How the sends of each session ended, and how many wait: counted from the shards' events.  Pure.

Counts begin with the daemon: what is counted over its restarts is in the databases.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from actors.events import EventType
from actors.store.records import OutboxEvent
from actors.store.send_states import ARRIVED, FAILED, UNFINISHED, reached

ACCEPTED: Final = "accepted"
OUTCOMES: Final = (ACCEPTED, *ARRIVED, FAILED)
"""What is counted; each at most once of a send."""
WAITING: Final = "waiting"
"""Accepted, and not yet acknowledged or failed."""

_NONE: Final[Mapping[str, int]] = MappingProxyType(dict.fromkeys((*OUTCOMES, WAITING), 0))


class SendCounts:
    """By session."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def load(self, waiting: Mapping[str, int]) -> None:
        """How many wait in the sessions of a shard, as stored."""
        for session, number in waiting.items():
            self._of(session)[WAITING] = number

    def apply(self, event: OutboxEvent) -> None:
        """An event of a shard's outbox, told once."""
        if event.type != EventType.SESSION_SEND or event.session is None:
            return
        counts = self._of(event.session)
        previous, state = event.data.get("previous"), event.data["state"]
        counts[ACCEPTED] += previous is None
        counts[WAITING] += (state in UNFINISHED) - (previous in UNFINISHED)
        counts.update(reached(previous, state))

    def forget(self, session: str) -> None:
        """The session is no more."""
        self._counts.pop(session, None)

    def of(self, session: str) -> Mapping[str, int]:
        """The counts of a session, all of them."""
        return {**_NONE, **self._counts.get(session, {})}

    def _of(self, session: str) -> Counter[str]:
        return self._counts.setdefault(session, Counter())
