"""Keeps one connector process started and loaded, which waits for its start line: it has no socket and no secret.

The decision is pure (`sparing`); this is its clock and its process.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable

from actors.connectors.host import launch, sparing
from actors.connectors.host.fault import ConnectorFault
from actors.connectors.host.launch import Program
from actors.connectors.host.process import ConnectorProcess
from actors.connectors.host.sparing import Act, View
from actors.messages.supervision import OwnedProcess
from actors.runtime import priority
from actors.runtime.process import is_stopped, rss_bytes
from actors.settings import Settings

log = logging.getLogger(__name__)

LOOK_PERIOD = 30.0
"""Seconds between two looks at the most; sooner when something is due."""
END_PATIENCE = 1.0
"""Seconds for a process that was killed to be gone."""
LOOKS = 5
"""Looks within the quiet time: it begins anew when somebody connects at the moment of one."""


class Spare:
    """``quiet`` says whether there is a connector process and nobody connects."""

    def __init__(self, settings: Settings, name: str, connector: str, quiet: Callable[[], bool]) -> None:
        self._settings = settings
        self._name = name
        self._connector = connector
        self._quiet = quiet
        self._quiet_since: float | None = None
        self._process: ConnectorProcess | None = None
        self._dying: set[ConnectorProcess] = set()
        """Killed, and not gone yet."""
        self._program: tuple[Program, object] | None = None
        """What it was started from."""
        self._failures = 0
        self._failed_at = 0.0
        self._spread = 1 + random.uniform(0, sparing.SPREAD)
        self._wake = asyncio.Event()

    def use(self, settings: Settings) -> None:
        """New settings."""
        self._settings = settings
        self._wake.set()

    async def stop(self) -> None:
        """There is none any more when it returns, unless the kernel can't end it."""
        self.discard()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_PATIENCE):
                for process in list(self._dying):
                    await process.ended()

    @property
    def there(self) -> bool:
        """Whether there is one."""
        return self._process is not None

    def owned(self) -> OwnedProcess | None:
        """It, as the supervision tree shows it."""
        if (process := self._process) is None:
            return None
        return OwnedProcess(f"{self._name}/spare", "connector-spare", process.popen.pid, "", process.started)

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            self._wake.clear()
            self._look_after()
            now = time.monotonic()
            act = sparing.decide(self._view(now), now)
            if act is Act.START:
                await self._start()
            elif act is Act.DISCARD:
                log.info("%s: the spare connector process is thrown away: nobody wants it as it is", self._name)
                self.discard()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wait(time.monotonic())):  # wait_for may swallow the end of this task
                    await self._wake.wait()

    def take(self) -> ConnectorProcess | None:
        """Hands it over, at full priority; None if there is none of the program that would be started now."""
        if self._process is None:
            return None
        if self._stale() or is_stopped(self._process.popen.pid):
            self.discard()
            return None
        process, self._process = self._process, None
        self._failures, self._quiet_since = 0, None
        priority.give_back(process.popen.pid)
        self._wake.set()
        return process

    def discard(self) -> None:
        """Ends it at once: it has nothing to bring in order."""
        if self._process is not None:
            process, self._process = self._process, None
            self._dying.add(process)
            process.watch(lambda _status: self._dying.discard(process))
            priority.give_back(process.popen.pid)  # on a busy machine it would hardly come to its own end
            process.kill_all()
            process.kill()  # if what it is could not be found out, for want of open files
            self._wake.set()

    def _look_after(self) -> None:
        """One that could not be used, or grows, is killed: it is lost like one that ends by itself."""
        if self._process is None:
            return
        pid, most = self._process.popen.pid, launch.bounds(self._settings, self._connector).recycle
        if is_stopped(pid) or (most is not None and (rss_bytes(pid) or 0) > most):
            self._process.kill_all()

    @property
    def _after(self) -> float | None:
        after = self._settings.connectors.of(self._connector).spare_after
        return None if after is None else after * self._spread

    def _view(self, now: float) -> View:
        if not self._quiet():
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now
        stale = self._process is not None and self._stale()
        return View(self._after, self._quiet_since, self.there, stale, self._failures, self._failed_at)

    def _wait(self, now: float) -> float:
        view = self._view(now)
        due = sparing.due_in(view, now)
        often = LOOK_PERIOD if view.spare or view.after is None else min(LOOK_PERIOD, view.after / LOOKS)
        return often if due is None else min(often, due)

    def _stale(self) -> bool:
        try:
            program = launch.program(self._settings, self._connector)
        except ConnectorFault:
            return True
        return self._program != (program, program.stamp())

    async def _start(self) -> None:
        try:
            program = launch.program(self._settings, self._connector)
            stamp = program.stamp()
            process = ConnectorProcess.fork(program.command, program.environment, self._connector, threads=True)
        except ConnectorFault as fault:
            self._failed(0.0, str(fault))
            return
        try:
            process.watch(lambda status: self._ended(process, status))
        except OSError as error:  # no more open files: the present process needs none of this
            await process.discard()
            self._failed(0.0, f"it can't be watched: {error.strerror}")
            return
        priority.lower(process.popen.pid)
        self._process, self._program = process, (program, stamp)
        log.debug("%s: connector process %d is kept as a spare", self._name, process.popen.pid)

    def _ended(self, process: ConnectorProcess, status: int) -> None:
        if process is self._process:
            self._process = None
            self._failed(time.monotonic() - process.started, f"it ended: {status}")

    def _failed(self, lived: float, why: str) -> None:
        self._failures = sparing.failures_after(self._failures, lived)
        self._failed_at = time.monotonic()
        level = logging.INFO if self._failures == 1 else logging.DEBUG  # said once, not again and again
        pause = sparing.pause(self._failures)
        log.log(level, "%s: the spare connector process is lost, %s; another one in %.0f s", self._name, why, pause)
        self._wake.set()
