"""Telling consumers that the outbox grew: changes that come together are one message, the first of them at once."""

import asyncio
import time
from collections.abc import Callable

PAUSE = 0.02
"""Seconds between two hints to main, which waits for what became of a send."""
STATE_PAUSE = 0.1
"""Seconds between two hints to main, if sessions changed their state: each hint costs it a reading."""
FOLLOWERS_PAUSE = 1.0
"""Seconds between two hints to those that score and keep the ledger."""
FOLLOWERS = ("health", "recovery")
"""They follow the sessions' states only: a message or a send is no news to them."""


class _Hinter:
    """Tells some consumers at once, unless it told them less than ``pause`` seconds ago: then when those are over."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def news(self, pause: float) -> None:
        """There is something to tell."""
        wait = self._at + pause - time.monotonic()
        if wait <= 0:
            self.now()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait, self.now)

    def now(self) -> None:
        """Tells."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._at = time.monotonic()
        self._tell()


class Hints:
    """``tell(name, upto)`` is called when the consumer of that name has something to read."""

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        self._upto = 0
        self._states_changed = True
        self._main = _Hinter(lambda: tell("gateway", self._upto))
        self._followers = _Hinter(self._tell_followers)
        self._tell = tell

    def _tell_followers(self) -> None:
        for name in FOLLOWERS:
            self._tell(name, self._upto)

    def concerns_all(self) -> None:
        """Within a transaction: it changes the state of a session."""
        self._states_changed = True

    def grown(self, upto: int) -> None:
        """A transaction was committed."""
        if upto <= self._upto:
            return
        self._upto = upto
        states, self._states_changed = self._states_changed, False
        self._main.news(STATE_PAUSE if states else PAUSE)
        if states:
            self._followers.news(FOLLOWERS_PAUSE)

    def everybody(self) -> None:
        """A consumer may have started afresh: all are told where the outbox stands."""
        self._main.now()
        self._followers.now()
