"""The connector processes of one host: one, or two while a bloated one hands its sessions over to a fresh one.

Sessions find their process under one name in the runtime directory.  A fresh process listens under a name of its own,
which is then renamed to that one: from that moment whoever links anew, for whatever reason, links to it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.connectors.host import launch, pulse
from actors.connectors.host.census import Census
from actors.connectors.host.confirm import Confirmer
from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.host.launch import Place
from actors.connectors.host.listener import Listener
from actors.connectors.host.process import ConnectorProcess
from actors.connectors.host.uplink import Uplink
from actors.connectors.link_events import LinkEvent, PhaseChanged
from actors.connectors.protocol import ADMIT, Admission, Phase
from actors.messages.supervision import OwnedProcess
from actors.runtime.rpc import Link, LinkClosed, RemoteError
from actors.settings import Settings

log = logging.getLogger(__name__)

LAST_WORDS = 0.5
"""Seconds between the end of a link and what is concluded from it: how the process ended tells more."""


@dataclass(slots=True, eq=False)
class Running:
    """One connector process with the host's link to it."""

    process: ConnectorProcess
    uplink: Uplink
    census: Census = field(default_factory=Census)
    listener: Listener = field(init=False)

    def __post_init__(self) -> None:
        self.listener = Listener(self.link.peer, self.process.popen.pid)

    @property
    def link(self) -> Link:
        """The link to it."""
        return self.uplink.link

    @property
    def gone(self) -> bool:
        """Whether it has ended for certain, with whatever it had listen for it."""
        return self.process.popen.poll() is not None and self.listener.gone and self.link.closed.is_set()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.listener.kill()


class Connectors:
    """``on_event`` gets what a process says and may raise ConnectorFault; ``knows`` whether a session is of the shard.

    ``on_fault`` is told what the present process did wrong, ``on_lost`` why it is gone: each perhaps more than once.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        place: Place,
        *,
        knows: Callable[[str], bool],
        on_event: Callable[[LinkEvent, Confirmer], None],
        on_fault: Callable[[ConnectorFault], None],
        on_lost: Callable[[str], Awaitable[None]],
        spawn: Callable[..., Any],
    ) -> None:
        self._settings = settings
        self._name = name
        self._place = place
        self._knows = knows
        self._on_event = on_event
        self._on_fault = on_fault
        self._on_lost = on_lost
        self._spawn = spawn
        self._starts = 0
        self._at: dict[str, Link] = {}
        """Over which link a session's connection was last heard of."""
        self._phases: dict[str, Phase] = {}
        self.current: Running | None = None
        self.retiring: Running | None = None
        self.stopping = False
        self.news = asyncio.Event()
        """Set whenever a session's phase changed: for who waits for one."""

    async def start(self, *, threads: bool, spare: ConnectorProcess | None = None) -> ConnectorProcess:
        """Starts a process, which nobody is linked to yet, or a ``spare`` that waits for that.  Raises ConnectorFault.

        ``threads``: this process has some.
        """
        self._starts += 1
        path = self._settings.socket(f"{self._name}.{'ab'[self._starts % 2]}.sock")
        return await launch.start(self._settings, self._name, self._place, socket=path, threads=threads, spare=spare)

    async def present(self, process: ConnectorProcess) -> None:
        """Makes it the one that sessions link to from now on; the one before, if it lives, retires.

        Raises ConnectorFault, with the process ended.
        """
        uplink = Uplink(self._take, lambda fault: self._blame(running, fault))
        try:
            await uplink.connect(process.socket)
        except ConnectorFault as fault:
            fault.process = (process.popen.pid, await process.discard())
            raise
        running, first = Running(process, uplink), self.current is None
        before = None if self.current is None or self.current.gone else self.current
        if before is not None:
            await self._ask(before, "admission", **Admission(0.0, burst=1, pairings=0).to_wire())
        Path(process.socket).rename(self._settings.socket(f"{self._name}.connector.sock"))  # noqa: ASYNC240 - one call
        self.retiring, self.current = before, running
        process.watch(lambda status: self._ended(running, status))
        uplink.begin()
        self._spawn(self._confirm(running), name="confirmations")
        self._spawn(self._watch_link(running), name="host link")
        self._spawn(self._watch_pulse(running), name="pulse")
        if not first:  # a plan that came since it was started went to the other
            self._spawn(self._tell(running), name="settings")

    async def retire(self) -> None:
        """Ends the one before; who is still linked to it links to the present one."""
        if (old := self.retiring) is not None:
            await old.process.stop()
            old.listener.kill()
            old.link.abort()
            self.retiring = None

    async def stop(self) -> None:
        """Ends all."""
        self.stopping = True
        for running in (self.retiring, self.current):
            if running is not None:
                await running.process.stop()
                running.listener.kill()

    def _ended(self, running: Running, status: int) -> None:
        why = f"connector process {running.process.popen.pid} ended: {status}"
        if running is self.current and not self.stopping:
            self._spawn(self._on_lost(why), name="end of the connector")
        elif running is self.retiring and not self.stopping:
            log.info("%s: %s; its sessions had been handed over, or link to the fresh one now", self._name, why)

    def _blame(self, running: Running, fault: ConnectorFault) -> None:
        """A process broke the protocol: it is ended, and the host is told if it is the present one."""
        if self.stopping:
            return
        if running is self.current:
            self._on_fault(fault)
        else:
            log.error("%s: connector process %d is killed: %s", self._name, running.process.popen.pid, fault)
            running.kill()

    def accuse(self, pid: int, fault: ConnectorFault) -> None:
        """Somebody else saw what the process with that pid did."""
        for running in (self.current, self.retiring):
            if running is not None and running.process.popen.pid == pid:
                self._blame(running, fault)

    async def _confirm(self, running: Running) -> None:
        try:
            await running.uplink.confirmer.run()
        except ConnectorFault as fault:
            self._blame(running, fault)

    async def _watch_pulse(self, running: Running) -> None:
        beats = self._settings.beats
        if await pulse.watch(running.link, running.process, beats):
            self._blame(running, ConnectorFault(FaultKind.SILENT, f"it answered nothing for {beats.timeout:g} s"))

    async def _watch_link(self, running: Running) -> None:
        await running.link.closed.wait()
        running.uplink.confirmer.end()
        if (fault := running.uplink.fault) is not None:
            self._blame(running, fault)
        for session in [session for session, link in self._at.items() if link is running.link]:
            if self._phases.pop(session, Phase.IDLE) is not Phase.IDLE:  # nobody else will say so
                gone = PhaseChanged(session=session, at=int(time.time() * 1000), phase=Phase.IDLE)
                self._on_event(gone, running.uplink.confirmer)
        await asyncio.sleep(LAST_WORDS)
        if running is self.current and not self.stopping:
            await self._on_lost("the connector closed the host's link")

    # sessions

    def _take(self, uplink: Uplink, event: LinkEvent) -> None:
        if not isinstance(event, PhaseChanged) or self._heard(uplink.link, event):
            self._on_event(event, uplink.confirmer)

    def _heard(self, link: Link, event: PhaseChanged) -> bool:
        """Notes where a session is; False for what a retiring process says of one that has left it.

        So it is for names that nobody gave the connector: it could think of any number of them.
        """
        session, known = event.session, self._at.get(event.session)
        if not self._knows(session):
            return False
        present = self.current is not None and link is self.current.link
        if event.phase is not Phase.IDLE and (present or known is None or known.closed.is_set()):
            self._at[session] = known = link
        if known not in {None, link}:
            return False
        self._phases[session] = event.phase
        self.news.set()
        return True

    def link_of(self, session: str) -> Link | None:
        """The link over which a session sends; None while there is none."""
        known = self._at.get(session)
        if known is not None and not known.closed.is_set():
            return known
        return self.current.link if self.current is not None else None

    def phase(self, session: str) -> Phase:
        """Where its connection stands."""
        return self._phases.get(session, Phase.IDLE)

    def connecting(self) -> int | None:
        """How many sessions wait for their connection or are making it; None while there is no steady process."""
        if self.current is None or self.current.gone or self.retiring is not None or self.stopping:
            return None
        return sum(phase in {Phase.QUEUED, Phase.CONNECTING} for phase in self._phases.values())

    def has_moved(self, session: str) -> bool:
        """Whether its connection is open in the present process."""
        present = self.current is not None and self._at.get(session) is self.current.link
        return present and self.phase(session) is Phase.OPEN

    def is_behind(self, session: str) -> bool:
        """Whether the process that retires still has a connection of it: there must be no other one meanwhile."""
        old, known = self.retiring, self._at.get(session)
        there = old is not None and known is old.link and not known.closed.is_set()
        return there and self.phase(session) is not Phase.IDLE

    @property
    def admits(self) -> bool:
        """Whether the present process lets the host say when a connection may begin."""
        return self.current is not None and ADMIT in self.current.uplink.hello.capabilities

    def forget(self, session: str) -> None:
        """The session is no more."""
        self._at.pop(session, None)
        self._phases.pop(session, None)

    # what the process is told, and tells of itself

    async def use(self, settings: Settings, share: float) -> None:
        """New settings: for the connections to come, and for the processes to come."""
        before, self._settings = self._settings, settings
        connector = self._place.connector
        self._place = Place(connector, share)
        if self.current is None:
            return
        options = launch.options(settings, connector)
        if options != launch.options(before, connector):
            await self._ask(self.current, "options", options=options)
        await self._ask(self.current, "admission", **launch.admission(settings, connector, share).to_wire())

    async def _tell(self, running: Running) -> None:
        connector = self._place.connector
        await self._ask(running, "options", options=launch.options(self._settings, connector))
        bounds = launch.admission(self._settings, connector, self._place.share)
        await self._ask(running, "admission", **bounds.to_wire())

    async def _ask(self, running: Running, command: str, **fields: Any) -> None:
        try:
            await running.link.request(command, **fields)
        except (LinkClosed, TimeoutError):
            return  # the end of the process is noticed elsewhere
        except RemoteError as error:
            log.error("%s: the connector refused new %s: %s", self._name, command, error)

    def owned(self, fault: ConnectorFault | None) -> OwnedProcess | None:
        """The present process, or the one that did not get so far, as the supervision tree shows it."""
        id, kind, why = f"{self._name}/connector", "connector-process", None if fault is None else str(fault)
        if self.current is not None:
            process = self.current.process
            pid, version, status = process.popen.pid, process.ready.version, process.popen.poll()
            return OwnedProcess(id, kind, pid, version, process.started, status, why)
        if fault is None or fault.process is None:
            return None
        pid, ended = fault.process
        return OwnedProcess(id, kind, pid, "", time.monotonic(), ended, why)
