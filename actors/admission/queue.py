"""Who of a host's sessions is next: by importance, by open work, by how long it has waited.  Pure.

Nobody starves: waiting itself makes urgent, so who waits for ``AGEING * n`` seconds goes before whoever came later and
is more urgent by less than n.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

AGEING = 30.0
"""Seconds of waiting that count as much as open work, and half as much as one step of importance."""


@dataclass(slots=True)
class _Entry:
    since: float
    pairing: bool


class Queue:
    """``importance`` and ``has_work`` are asked about sessions whenever their order is wanted."""

    def __init__(self, importance: Callable[[str], int], has_work: Callable[[str], bool], pairings: int) -> None:
        self._importance = importance
        self._has_work = has_work
        self._pairings = pairings
        """Pairings that may be at their costly part at a time: up to the first QR, and in the first login after it."""
        self._waiting: dict[str, _Entry] = {}
        self._pairing: set[str] = set()
        self._tried: dict[str, float] = {}
        self._favoured: set[str] = set()

    def __contains__(self, session: str) -> bool:
        return session in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, session: str, now: float, *, pairing: bool) -> None:
        """A session waits from now on; said again it changes nothing."""
        self._pairing.discard(session)
        if session not in self._waiting:
            self._waiting[session] = _Entry(now, pairing)

    def admitted(self, session: str, now: float) -> None:
        """It waits no more: its attempt begins."""
        entry = self._waiting.pop(session, None)
        if entry is not None and entry.pairing:
            self._pairing.add(session)
        self._tried[session] = now
        self._favoured.discard(session)

    def leave(self, session: str) -> None:
        """It waits no more, and if it was a pairing, the costly part of that is over."""
        self._waiting.pop(session, None)
        self._pairing.discard(session)

    def favour(self, session: str) -> None:
        """The next that tries for all is this one."""
        self._favoured.add(session)

    def forget(self, session: str) -> None:
        """The session is no more."""
        self.leave(session)
        self._tried.pop(session, None)
        self._favoured.discard(session)

    def eligible(self) -> list[str]:
        """Those who could use a slot: only a pairing that waits for another one could not."""
        room = len(self._pairing) < self._pairings
        return [session for session, entry in self._waiting.items() if room or not entry.pairing]

    def urgency(self, session: str, now: float) -> int:
        """Of one that waits."""
        waited = max(0.0, now - self._waiting[session].since)
        return 2 * self._importance(session) + self._has_work(session) + int(waited // AGEING)

    def first(self, now: float, among: Collection[str] | None = None) -> str | None:
        """The most urgent of those who could use a slot, or ``among`` them; among equals who has waited longest."""
        return min(
            self.eligible() if among is None else among,
            key=lambda s: (-self.urgency(s, now), self._waiting[s].since),
            default=None,
        )

    def prober(self, now: float, among: Collection[str] | None = None) -> str | None:
        """Who tries for all in an outage: who was not tried for longest, so that no account fails again and again.

        Among equals the least important: it is the account of the prober that takes the risk.
        """
        return min(
            self.eligible() if among is None else among,
            key=lambda s: (
                s not in self._favoured,
                self._tried.get(s, float("-inf")),
                self.urgency(s, now),
                self._waiting[s].since,
            ),
            default=None,
        )
