"""The proxies of a host's sessions, between its gatekeeper and the board; says in the log which of them fails."""

import logging
from collections.abc import Iterable
from dataclasses import replace

from actors.admission import ways
from actors.admission.board import Board
from actors.admission.detours import Detours
from actors.admission.slots import AHEAD
from actors.admission.ways import Way

log = logging.getLogger(__name__)


class Passage:
    """``use`` says by which bounds."""

    def __init__(self, detours: Detours) -> None:
        self.detours = detours
        self._rate = 0.0
        self._share = 1.0

    def use(self, rate: float, share: float) -> None:
        """Connects per second of which this host takes its slots; its share (0-1) of a proxy's."""
        self._rate, self._share = rate, share

    def way(self, session: str | None) -> Way | None:
        """Through what a session goes; None: straight from this machine."""
        return None if session is None else self.detours.way(session, self._rate, self._share)

    def times(self, found: Board, sessions: Iterable[str], now: float) -> dict[str, float]:
        """For each session when to look for a slot through its way; one that could have it now has a time until now."""
        return {session: self._time(found, session, now) for session in sessions}

    def _time(self, found: Board, session: str, now: float) -> float:
        way = self.way(session)
        if way is None:
            return now
        return max(self.detours.due(session, now), ways.free_at(found.held, way, now) - AHEAD)

    def moved(self, found: Board, now: float) -> Board:
        """A proxy with another address is not held for what was wrong with the one before, by no host."""
        for session in self.detours.moved():
            if (way := self.way(session)) is not None:
                log.info("proxy %s has another address: it is tried at once", way.name)
                found = replace(found, held=ways.works(found.held, way, now))
        return found

    def failed(self, session: str, cause: str, now: float, wall: float) -> None:
        """A session's proxy failed."""
        before = self.detours.failing()
        self.detours.failed(session, cause, now, wall)
        for name in set(self.detours.failing()).difference(before):
            log.warning("nobody gets through proxy %s: of its sessions one at a time tries", name)

    def passed(self, found: Board, session: str, now: float) -> Board:
        """A session got through its way."""
        if not self.detours.passed(session) or (way := self.way(session)) is None:
            return found
        log.info("proxy %s works again", way.name)
        return replace(found, held=ways.works(found.held, way, now))
