"""Telling consumers that the outbox grew: changes that come together are one message, the first of them at once."""

import asyncio
import time
from collections.abc import Callable

PAUSE = 0.05
"""Seconds between two hints to main of what somebody may wait for: what became of a send."""
STATE_PAUSE = 0.1
"""The same, if sessions changed their state: each hint costs main a reading, and the gateway a turn."""
REST_PAUSE = 0.25
"""The same of all else: receipts, what arrived, how far a send is."""
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
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + wait
        if self._timer is None or due < self._timer.when():
            self._cancel()
            self._timer = loop.call_at(due, self.now)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def now(self) -> None:
        """Tells."""
        self._cancel()
        self._at = time.monotonic()
        self._tell()


class Hints:
    """``tell(name, upto)`` is called when the consumer of that name has something to read."""

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        self._upto = 0
        self._states_changed = True
        self._awaited = False
        self._main = _Hinter(lambda: tell("gateway", self._upto))
        self._followers = _Hinter(self._tell_followers)
        self._tell = tell

    def _tell_followers(self) -> None:
        for name in FOLLOWERS:
            self._tell(name, self._upto)

    def concerns_all(self) -> None:
        """Within a transaction: it changes the state of a session."""
        self._states_changed = True

    def awaited(self) -> None:
        """Within a transaction: somebody may wait for what it stores."""
        self._awaited = True

    def grown(self, upto: int) -> None:
        """A transaction was committed."""
        if upto <= self._upto:
            return
        self._upto = upto
        states, self._states_changed = self._states_changed, False
        awaited, self._awaited = self._awaited, False
        self._main.news(PAUSE if awaited else STATE_PAUSE if states else REST_PAUSE)
        if states:
            self._followers.news(FOLLOWERS_PAUSE)

    def everybody(self) -> None:
        """A consumer may have started afresh: all are told where the outbox stands."""
        self._main.now()
        self._followers.now()
