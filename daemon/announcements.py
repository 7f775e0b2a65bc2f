"""Telling the actors that there is something to send: at once, and together with what comes soon after."""

import asyncio
from collections.abc import Awaitable, Callable

PAUSE = 0.1
"""Seconds from one message to the next, each of which costs the gateway and every host that it is for a turn."""


class Announcements:
    """``tell`` gets sessions, and the last number of the table of sends that is there for them."""

    def __init__(
        self, tell: Callable[[frozenset[str], int], Awaitable[None]], spawn: Callable[[Awaitable[None]], None]
    ) -> None:
        self._tell = tell
        self._spawn = spawn
        self._sessions: set[str] = set()
        self._upto = 0
        self._telling = False

    def waits(self, session: str, seq: int) -> None:
        """A session has something to send: ``seq`` of the table of sends."""
        self._sessions.add(session)
        self._upto = max(self._upto, seq)
        if not self._telling:
            self._telling = True
            self._spawn(self._go_on())

    async def _go_on(self) -> None:
        try:
            while self._sessions:
                sessions, self._sessions = frozenset(self._sessions), set()
                await self._tell(sessions, self._upto)
                await asyncio.sleep(PAUSE)
        finally:
            self._telling = False
