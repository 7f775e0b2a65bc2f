"""Telling consumers that the outbox grew: changes that come together are one message."""

import asyncio
import time
from collections.abc import Callable

PAUSE = 0.02
"""Seconds between two hints."""
ALWAYS = ("gateway",)
FOLLOWERS = ("health", "recovery")
"""They follow the sessions' states only: a message or a send is no news to them."""


class Hints:
    """``tell(name, upto)`` is called when the consumer of that name has something to read."""

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        self._tell = tell
        self._at = 0.0
        self._pending = False
        self._upto = 0
        self._news = True

    def concerns_all(self) -> None:
        """Within a transaction: it changes the state of a session."""
        self._news = True

    def grown(self, upto: int) -> None:
        """A transaction was committed."""
        if upto <= self._upto:
            return
        self._upto = upto
        wait = self._at + PAUSE - time.monotonic()
        if wait <= 0:
            self._hint()
        elif not self._pending:
            self._pending = True
            asyncio.get_running_loop().call_later(wait, self._hint)

    def everybody(self) -> None:
        """A consumer may have started afresh: all are told where the outbox stands."""
        self._news = True
        self._hint()

    def _hint(self) -> None:
        self._pending = False
        self._at = time.monotonic()
        names = (*ALWAYS, *FOLLOWERS) if self._news else ALWAYS
        self._news = False
        for name in names:
            self._tell(name, self._upto)
