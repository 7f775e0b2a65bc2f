"""Tells the board by when the connections of this host had reached the server (why: ``actors.admission.slots``)."""

import asyncio
import functools
from collections.abc import Callable

from actors.admission import board
from actors.admission.board import Board
from actors.admission.ledger import Ledger

DISK_PAUSE = 1.0
"""Seconds before a board that can't be written is tried again."""


class Reaching:
    """Times are seconds of CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._under_way: dict[str, float] = {}
        """Sessions that were let in and that the server has not answered -> their slots."""
        self._known: list[tuple[float, float]] = []
        """Slots, and by when their connections had reached the server, that are not on the board yet."""
        self._news = asyncio.Event()

    def begins(self, session: str, slot: float) -> None:
        """It may connect in that slot."""
        self._under_way[session] = slot

    def forget(self, session: str) -> None:
        """It does not connect, or is no more."""
        self._under_way.pop(session, None)

    def answered(self, session: str, at: float) -> None:
        """The server had answered by then.  What is said to have been before its slot is of an earlier connection."""
        slot = self._under_way.get(session)
        if slot is not None and at >= slot:
            self.over(session, at)

    def over(self, session: str, at: float) -> None:
        """The attempt was over by then: if it reached the server at all, it was before."""
        slot = self._under_way.pop(session, None)
        if slot is not None:
            self._known.append((slot, at))
            self._news.set()

    async def run(self, ledger: Callable[[], Ledger], clock: Callable[[], float]) -> None:
        """Tells at once, whatever the host waits for meanwhile: the sooner the slots after it are put off."""
        while True:
            await self._news.wait()
            self._news.clear()
            known = tuple(self._known)
            try:
                await ledger().act(functools.partial(_told, known, clock))
            except OSError:  # who takes slots says so in the log
                self._news.set()
                await asyncio.sleep(DISK_PAUSE)
            else:
                del self._known[: len(known)]


def _told(known: tuple[tuple[float, float], ...], clock: Callable[[], float], found: Board) -> tuple[Board, None]:
    return board.reached(found, known, clock()), None
