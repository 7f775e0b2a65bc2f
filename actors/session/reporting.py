"""What a session tells its host: what has to be stored is repeated until the host confirms it."""

import asyncio
import itertools
import logging
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from thespian.actors import ActorAddress

from actors.messages.sessions import SessionHello, SessionResume, Transition, TransitionStored
from actors.recovery.backoff import bound

log = logging.getLogger(__name__)

REPEAT_FIRST = 1.0
"""Seconds until what the host did not confirm is sent again; doubled each time: a slow host gets no more to do."""
REPEAT_LONGEST = 30.0
REPEATED = 20
"""Transitions sent again at a time: with a full disk there may be many."""
KEPT = 1000
"""Transitions that wait in memory to be stored; beyond it those in the middle are lost, and the log says so."""


class Reporting:
    """``hello`` is how the session introduces itself to its host, ``post`` sends a message, which may be lost."""

    def __init__(
        self, hello: SessionHello, host: ActorAddress | None, post: Callable[[ActorAddress, Any], None]
    ) -> None:
        self._hello = hello
        self._host = host
        self._post = post
        self._life = 0
        """As the host numbers it; 0 until it has."""
        self._number = 0
        self._unstored: deque[Transition] = deque()
        self._lost = 0
        self._nudge = asyncio.Event()
        """There is something new for the host."""

    def tell(self, message: Any) -> None:
        """Says something once, if there is a host."""
        if self._host is not None:
            self._post(self._host, message)

    async def run(self) -> None:
        """Repeats what the host has not confirmed; sleeps while there is nothing."""
        tries = 0
        while True:
            if self._life == 0:
                self.tell(self._hello)
            owed = self._owed()
            self._nudge.clear()
            wait = bound(tries, base_s=REPEAT_FIRST, cap_s=REPEAT_LONGEST) * random.uniform(0.75, 1.25)
            try:
                async with asyncio.timeout(None if owed is None else wait):
                    await self._nudge.wait()
            except TimeoutError:
                tries = tries + 1 if owed == self._owed() else 0
            else:
                tries = 0
                continue
            if tries and owed:
                for transition in itertools.islice(self._unstored, REPEATED):
                    self.tell(transition)

    def _owed(self) -> int | None:
        """What the host has to confirm next: 0 for the hello, a transition's number, or None."""
        if self._life == 0:
            return 0
        return self._unstored[0].number if self._unstored else None

    def move(self, host: ActorAddress) -> None:
        """There is a new host, which gives out a life."""
        self._hello = replace(self._hello, life=self._life or self._hello.life)
        self._host, self._life = host, 0
        self._nudge.set()

    def resume(self, message: SessionResume) -> bool:
        """The host answered the hello: all that waits is told under its life.  False: it answered another one."""
        if message.incarnation != self._hello.incarnation or message.life <= self._life:
            return False
        self._life = message.life
        self._nudge.set()
        self._unstored = deque(replace(each, life=self._life) for each in self._unstored)
        for transition in self._unstored:
            self.tell(transition)
        return True

    def stored(self, message: TransitionStored) -> None:
        """The host stored all transitions up to that one."""
        while self._unstored and message.life == self._life and self._unstored[0].number <= message.number:
            self._unstored.popleft()

    def report(self, at: float, state: str, cause: str | None, code: int | None, data: Mapping[str, Any]) -> None:
        """A transition, at ``at`` seconds since 1970."""
        self._number += 1
        transition = Transition(self._hello.session, self._life, self._number, at, state, cause, code, data)
        self._unstored.append(transition)
        if len(self._unstored) == 1:
            self._nudge.set()
        if len(self._unstored) > KEPT:
            del self._unstored[1]  # the first stays: the host takes none after one that it still waits for
            self._lost += 1
            if self._lost % KEPT == 1:
                log.error("%s: %d of its transitions are lost: nothing can be stored", transition.session, self._lost)
        if self._life:
            self.tell(transition)
