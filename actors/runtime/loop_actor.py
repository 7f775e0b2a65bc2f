"""asyncio inside a Thespian actor, on one thread.

asyncio's epoll descriptor is itself watched by Thespian's selector: whenever something is ready, the asyncio loop
runs until
it has nothing left to do and hands control back.  Timers are a timerfd in the same epoll, so Thespian's own timers
(which can't be cancelled, and are sorted at every addition) are not used.
"""

import asyncio
import logging
import os
import selectors
import time
from collections.abc import Coroutine
from typing import Any

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ThespianWatch, WatchMessage

from actors.runtime import logs
from actors.runtime.outbox import Outbox, transmit_for
from actors.runtime.process import settle_actor
from actors.runtime.timerfd import TimerFd

log = logging.getLogger(__name__)

CRASH_EXIT = 70
"""Exit status of an actor that met an error it has no answer to (EX_SOFTWARE); its supervisor decides what then."""

STEP_BUDGET = 0.02
"""Seconds after which a busy loop hands control back, so that messages between actors are never starved."""


class _StepSelector(selectors.EpollSelector):
    """Never blocks; ends the loop's run when nothing is ready, remembering how long asyncio wanted to sleep."""

    loop: asyncio.AbstractEventLoop
    want: float | None = None
    until: float = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and (timeout is None or timeout > 0):
            # looked at first: on a busy machine the budget is over at once, and asking for more would keep it busy
            self.want = timeout
            self.loop.stop()
        elif time.monotonic() >= self.until:
            self.want = 0.0
            self.loop.stop()
        return ready


class LoopActor(Actor):
    """Runs ``handle`` as a task for every message.  ``post`` sends from any coroutine.

    A task that raises ends the process: state that a failed handler left behind is not trusted.
    """

    def __init__(self) -> None:
        settle_actor()
        super().__init__()
        self._loop: asyncio.SelectorEventLoop | None = None
        self._outbox = Outbox(transmit_for(self), lambda: self._timer.set(0))
        self._tasks: set[asyncio.Task[Any]] = set()
        self._handling: dict[asyncio.Task[Any], float] = {}
        """Messages whose handling is not finished -> when they came, oldest first."""

    def post(self, address: ActorAddress, message: Any) -> None:
        """Queues a message to another actor; it leaves when the loop comes to rest and the receiver has room."""
        self._outbox.put(address, message)

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str | None = None) -> asyncio.Task[Any]:
        """Starts a task that is kept alive; if it fails, the actor crashes."""
        assert self._loop is not None, "spawn is for code that runs in the loop"
        task = self._loop.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def mailbox_age(self) -> float:
        """Seconds since the oldest message came whose handling is not finished; 0 when there is none."""
        return max(0.0, time.monotonic() - next(iter(self._handling.values()))) if self._handling else 0.0

    async def handle(self, message: Any, sender: ActorAddress) -> None:
        """Called for every message that is not Thespian's own."""

    def crash(self, why: str, error: BaseException | None = None, status: int = CRASH_EXIT) -> None:
        """Ends this process at once; the supervisor restarts it."""
        log.critical("%s crashed: %s", type(self).__name__, why, exc_info=error)
        os._exit(status)

    def receiveMessage(self, message: Any, sender: ActorAddress) -> ThespianWatch:  # noqa: N802
        """Thespian's entry.  Never raises (it would be called again), always returns the watch (else it is cleared)."""
        try:
            if self._loop is None:
                self._boot()
            if isinstance(message, ActorExitRequest):
                os._exit(0)  # only the end of the whole system sends it; supervisors stop children with messages
            if not isinstance(message, WatchMessage):
                self._handling[self.spawn(self.handle(message, sender))] = time.monotonic()
            self._step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor decides
            self.crash("an error in the actor itself", error)
        return ThespianWatch([self._selector.fileno()])

    def _boot(self) -> None:
        logs.restore()
        asyncio._set_running_loop(None)  # noqa: SLF001 - the fork may have happened inside another loop
        self._selector = _StepSelector()
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._selector.loop = self._loop
        asyncio.set_event_loop(self._loop)
        self._timer = TimerFd()
        self._loop.add_reader(self._timer.fd, self._timer.drain)

    def _step(self) -> None:
        assert self._loop is not None
        self._selector.want = None
        self._selector.until = time.monotonic() + STEP_BUDGET
        self._loop.run_forever()
        self._outbox.flush()
        self._timer.set(self._selector.want)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._handling.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.crash(f"task {task.get_name()} failed", error)
