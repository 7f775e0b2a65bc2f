"""The connector host actor: owns one connector process, knows the sessions of its shard, writes the shard's database.

Its life is the life of its process: when the process ends, and no spare takes its place, the actor ends too, and its
supervisor starts both afresh.  What it does in between is done by its parts.
"""

import asyncio
import contextlib
import itertools
import logging
from typing import Any

from thespian.actors import ActorAddress

from actors.connectors.host.args import HostArgs
from actors.connectors.host.confirm import Confirmer
from actors.connectors.host.connectors import Connectors
from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.host.launch import Place
from actors.connectors.host.parts import assemble
from actors.connectors.host.plans import Plans
from actors.connectors.link_events import LinkEvent, PhaseChanged, Reached
from actors.connectors.protocol import Phase
from actors.messages.plans import ShardPlan
from actors.messages.services import Command, CommandResult, SendCanary, SendsWaiting
from actors.messages.sessions import ConnectorBroke, PlanRequest, SessionHello, SessionResume, Transition
from actors.messages.supervision import OwnedProcess, ServiceSample
from actors.runtime import logs
from actors.runtime.worker import Worker
from actors.settings import host_name, shard_name

log = logging.getLogger(__name__)

PROCESS_LOST_EXIT = 72
"""Exit status when the connector process died (EX_OSFILE's neighbour: a part of the system is missing)."""
LOOK_PERIOD = 3.0
"""Seconds between looks for sends that nobody told of, and for sessions that may try another client."""
REPEAT = 10
"""Looks after which the end of a pause is told again to who still waits for it."""
TELLING = 0.02
"""Seconds for the sessions to be told of a fault before they notice the end of their links."""
DRAIN_PATIENCE = 1.0
"""Seconds for what a connector said last to be stored."""


class ConnectorHost(Worker):
    """See the module."""

    async def on_init(self, args: HostArgs) -> None:
        self._name = shard_name(args.shard)
        logs.identify(host_name(args.shard))
        self._ending = False
        self._fault: ConnectorFault | None = None
        self._connectors = Connectors(
            args.settings,
            self._name,
            Place(args.connector, args.share),
            knows=lambda session: session in self._parts.roster,
            on_event=self._hear,
            on_fault=self._faulty,
            on_lost=self._lost,
            spawn=self.spawn,
        )
        starting = asyncio.ensure_future(self._connectors.start(threads=False))
        await asyncio.sleep(0)  # it is forked by now: the databases, which bring threads, are opened while it starts
        self._parts = await assemble(self, args, self._connectors)
        self._plans = Plans(args, self._parts, self._connectors)
        try:
            await self._connectors.present(await starting)
        except ConnectorFault as fault:
            self._faulty(fault)
        else:
            self._parts.clients.presented()
            self.spawn(self._parts.succession.run(), name="succession")
        await self._parts.sends.restore(self._parts.roster.refusing())
        self.spawn(self._look(), name="look for sends")
        self.spawn(self._parts.upkeep.run(), name="upkeep")
        self.spawn(self._parts.database.keep_probing(), name="probe")

    async def _look(self) -> None:
        for look in itertools.count(1):
            await asyncio.sleep(LOOK_PERIOD)
            await self._parts.sends.take()
            self._parts.clients.look()
            if look % REPEAT == 0:
                self._parts.notices.ends_of_pauses()

    async def _lost(self, why: str) -> None:
        await self._end(why)

    def _faulty(self, fault: ConnectorFault) -> None:
        self.spawn(self._end(f"the connector is ended, {fault}", fault), name="end of a faulty connector")

    async def _end(self, why: str, fault: ConnectorFault | None = None) -> None:
        """Ends this actor, once what the connector said last is stored: it will not say it again.

        If a spare can take the connector's place, the actor goes on with that.
        """
        if self._ending or self._stopping:
            return
        self._ending, self._fault = True, fault
        if fault is not None:
            log.error("%s: the connector is ended, %s", self._name, fault)
            for session in self._parts.roster.ids():
                self._parts.notices.fault(session, fault)
            await asyncio.sleep(TELLING)
        if (running := self._connectors.current) is not None:
            running.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_PATIENCE):
                    await running.link.closed.wait()
                    await running.process.ended()
                    await self._parts.news.flush()
        if self._parts.succession.possible:
            self.tell_owned()
            if await self._parts.succession.succeed(why):
                self._ending, self._fault = False, None
                self._parts.clients.presented()
                self.tell_owned()
                return
        await self.last_words()  # how the process ended
        # a connector that can't live must not end this shard, and then the fleet: the host stays, and stores, meanwhile
        await self.linger()
        if not self._stopping:
            self.crash(why, status=PROCESS_LOST_EXIT)

    async def on_stop(self) -> None:
        """Ends the connector, stores what it said last, then closes the databases."""
        await self._connectors.stop()
        await self._parts.succession.spare.stop()
        await self._parts.gate.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_PATIENCE):
                await self._parts.news.flush()
        await self._plans.end()
        await self._parts.database.close()
        await self._parts.api.close()

    def owned(self) -> OwnedProcess | None:
        """The connector process."""
        return self._connectors.owned(self._fault)

    def sample(self) -> ServiceSample:
        """The database, and the connector process as the supervision tree shows it."""
        running = self._connectors.current
        said = running.census.report() if running is not None else None
        own = {**self._parts.succession.report(), "admission": self._parts.gate.report()}
        stats = None if said is None else {**said, **own}
        return ServiceSample(
            self._parts.database.watch.report(), self.owned(), stats, spare=self._parts.succession.spare.owned()
        )

    # from the connector

    def _hear(self, event: LinkEvent, confirmer: Confirmer) -> None:
        if isinstance(event, PhaseChanged) and self._connectors.admits:
            self._parts.gate.phase(event)
        elif isinstance(event, Reached):
            self._parts.gate.reached(event)
        if isinstance(event, PhaseChanged) and event.phase is Phase.CONNECTING:
            self._parts.outdated.begins(event.session)
        self._parts.news.take(event, confirmer)

    # from actors

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        """Messages of sessions, the gateway, recovery and the shard supervisor."""
        if isinstance(message, Transition):
            await self._parts.transitions.take(message, sender)
        elif isinstance(message, SessionHello):
            await self._hello(message, sender)
        elif isinstance(message, PlanRequest):
            self.tell("recovery", message)
        elif isinstance(message, Command):
            await self._command(message)
        elif isinstance(message, ConnectorBroke):
            sentence = f"on the link of {message.session}: {message.sentence}"
            self._connectors.accuse(message.pid, ConnectorFault(FaultKind(message.fault), sentence))
        elif isinstance(message, SendsWaiting):
            await self._parts.sends.take()
        elif isinstance(message, SendCanary):
            self.spawn(self._parts.canaries.send(message), name="canary")
        elif isinstance(message, ShardPlan):
            await self._plans.follow(message)

    async def _hello(self, message: SessionHello, sender: ActorAddress) -> None:
        if self._connectors.is_behind(message.session):
            return  # it asks again: an actor that follows another must not connect beside what that one left behind
        known = self._parts.roster.enter(message, sender)
        if known is None:
            return  # not of this shard (any more)
        self.post(
            sender,
            SessionResume(
                message.session, message.incarnation, known.life, known.saved, known.enabled, known.paused_until
            ),
        )
        self._parts.notices.fault(message.session, self._fault)

    async def _command(self, message: Command) -> None:
        if message.name == "heal" and self._parts.healing.order(message):
            return
        if message.name in {"start", "stop"}:
            self._parts.roster.enable(message.session, message.name == "start")
        if message.name == "reconnect":
            self._parts.gate.hurry(message.session)
        address = self._parts.roster.address(message.session)
        if address is None:
            error = ("unavailable", f"the actor of {message.session} is starting, or parked after crashes")
            self.post(message.reply_to, CommandResult(message.correlation, error=error))
        else:
            self.post(address, message)

    async def on_directory(self, directory: Any) -> None:
        """A consumer may have started afresh."""
        self._parts.hints.everybody()
        self._parts.healing.tell_pauses(again=True)
