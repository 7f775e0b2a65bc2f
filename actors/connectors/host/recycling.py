"""A connector process is replaced while it works: its sessions move to a fresh one, one after the other.

It is, when it is bloated, or when recovery asks for it.  A session never has a connection in both: it leaves the old
process first, and an old one that does not answer is killed before anybody could think that it was left.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from actors.connectors.host import launch
from actors.connectors.host.bloat import Verdict, judge, rested
from actors.connectors.host.connectors import Connectors, Running
from actors.connectors.host.fault import ConnectorFault
from actors.connectors.host.launch import Place
from actors.connectors.host.roster import Roster
from actors.connectors.host.sends import Sends
from actors.connectors.host.spare import Spare
from actors.connectors.protocol import Phase
from actors.messages.sessions import MoveLink
from actors.runtime.rpc import LinkClosed, RemoteError
from actors.settings import Settings

log = logging.getLogger(__name__)

LOOK_PERIOD = 5.0
"""Seconds between two looks at the process, at most; less where heartbeats are quicker."""
SEND_PATIENCE = 10.0
"""Seconds for the message under way to be acknowledged; one cut off is sent again under its id."""
PAIRING_PATIENCE = 300.0
"""Seconds for a pairing to be over, one way or the other: a QR that somebody is about to scan should stay valid."""
MOVE_PATIENCE = 60.0
"""Seconds for one session to be open again before the next one moves: half a minute of back-off is nothing unusual."""

ANSWER_PATIENCE = 5.0
"""Seconds for the old process to answer while it is being left.  A session that waits for the end of its connection
thinks after 15 seconds that it has left."""
ASK_PERIOD = 2.0


class Recycling:
    """Watches the memory of the present process.  ``post`` sends a message to an actor."""

    def __init__(
        self,
        connectors: Connectors,
        sends: Sends,
        roster: Roster,
        settings: Settings,
        place: Place,
        post: Callable[[Any, Any], None],
        spare: Spare | None = None,
    ) -> None:
        self._connectors = connectors
        self._sends = sends
        self._roster = roster
        self._place = place
        self._post = post
        self._spare = spare
        self._since: float | None = None
        self._asked: str | None = None
        """The session that recovery wants to have a fresh process."""
        self._wake = asyncio.Event()
        self.busy = False
        self.count = 0
        """Processes replaced, in the life of this host."""
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """New bounds, from the next look on."""
        self._bounds = launch.bounds(settings, self._place.connector)
        self._period = min(LOOK_PERIOD, settings.beats.period / 2)

    def ask(self, session: str) -> str | None:
        """Recovery wants a fresh process, to which that session moves first; returns why not, or None."""
        if self.busy or self._asked is not None:
            return "the connector process is being replaced already"
        if not rested(self._since, asyncio.get_running_loop().time()):
            return "the connector process was replaced a short time ago"
        current = self._connectors.current
        if current is None or current.link.closed.is_set() or self._connectors.stopping:
            return "the connector process is ending"
        self._asked = session
        self._wake.set()
        return None

    async def run(self) -> None:
        """Looks for ever."""
        now = asyncio.get_running_loop().time
        while True:
            self._wake.clear()
            running = self._connectors.current
            assert running is not None
            verdict = await self._weigh(running)
            pid = running.process.popen.pid
            if verdict is Verdict.END or running.link.closed.is_set():
                self._asked = None  # the host ends with this process
            elif verdict is Verdict.RECYCLE or self._asked is not None:
                used = running.census.memory[-1] >> 20 if running.census.memory else 0
                why = f"does not serve {self._asked} well" if self._asked else f"uses {used} MiB"
                log.warning("connector process %d %s: a fresh one takes its sessions over", pid, why)
                self._since, self.busy = now(), True
                first, self._asked = self._asked, None
                await self._recycle(running, first)
                self.busy = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._period):  # wait_for may swallow the end of this task
                    await self._wake.wait()

    async def _weigh(self, running: Running) -> Verdict:
        """Measures a process, and kills it if it is beyond its hard bound."""
        await running.census.look(running.process, running.link, self._period)
        verdict = judge(running.census.memory, self._bounds, self._since, asyncio.get_running_loop().time())
        if verdict is Verdict.END:
            pid, used = running.process.popen.pid, running.census.memory[-1] >> 20
            log.error("connector process %d uses %d MiB and is killed", pid, used)
            running.kill()
        return verdict

    async def _weigh_both(self) -> None:
        """While one is being left: both may grow."""
        while True:
            for running in (self._connectors.retiring, self._connectors.current):
                if running is not None:
                    await self._weigh(running)
            await asyncio.sleep(self._period)

    async def _recycle(self, old: Running, first: str | None) -> None:
        pid = old.process.popen.pid
        try:
            spare = self._spare.take() if self._spare is not None else None
            fresh = await self._connectors.start(threads=True, spare=spare)
            await self._connectors.present(fresh)
        except ConnectorFault as fault:
            log.error("connector process %d stays, since the fresh one does not work: %s", pid, fault)
            return
        began = asyncio.get_running_loop().time()
        phase = self._connectors.phase
        order = sorted(self._roster.ids(), key=lambda session: (session != first, phase(session) is Phase.PAIRING))
        watches = [asyncio.ensure_future(work) for work in (self._watch(old), self._weigh_both())]
        try:
            moved = [session for session in order if await self._move(session)]
            await self._connectors.retire()
        finally:
            for watch in watches:
                watch.cancel()
        self.count += 1
        took = asyncio.get_running_loop().time() - began
        log.info("connector process %d has ended, %d sessions moved within %.1f s", pid, len(moved), took)

    async def _watch(self, old: Running) -> None:
        """Kills an old process that does not answer: of what it holds nobody can be sure that it is closed."""
        while True:
            try:
                await old.link.request("ping", ANSWER_PATIENCE)
            except LinkClosed:
                return
            except RemoteError:
                pass  # a sign of life as well
            except TimeoutError:
                log.error("connector process %d does not answer while it is being left: killed", old.process.popen.pid)
                old.kill()
                await old.process.ended()
                return
            await asyncio.sleep(ASK_PERIOD)

    async def _move(self, session: str) -> bool:
        """Whether the session was told; one without an actor finds the fresh process when it has one."""
        phase = self._connectors.phase
        await self._until(lambda: phase(session) is not Phase.PAIRING, PAIRING_PATIENCE)
        address = self._roster.address(session)
        if address is None or self._connectors.has_moved(session):
            return False
        was_open = phase(session) is Phase.OPEN
        async with self._sends.held(session, SEND_PATIENCE):
            self._post(address, MoveLink())
            if was_open:
                await self._until(lambda: self._connectors.has_moved(session) or self._rests(session), MOVE_PATIENCE)
        return True

    def _rests(self, session: str) -> bool:
        """Whether it will not open by itself."""
        return session in self._roster.refusing() or not self._roster.wants(session)

    async def _until(self, reached: Callable[[], bool], patience: float) -> None:
        """Returns when it is so, as far as phases of connections tell, or after ``patience`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not reached():
                    self._connectors.news.clear()
                    await self._connectors.news.wait()
