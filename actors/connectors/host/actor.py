"""The connector host actor: owns one connector process, knows the sessions of its shard, writes the shard's database.

Its life is the life of its process: when the process ends, and no spare takes its place, the actor ends too, and its
supervisor starts both afresh.
"""

import asyncio
import contextlib
import functools
import itertools
import logging
import time
from typing import Any

from thespian.actors import ActorAddress

from actors.admission.detours import Detours
from actors.admission.queue import Queue
from actors.connectors.host import launch
from actors.connectors.host.args import HostArgs
from actors.connectors.host.boards import board_of, fleet_board
from actors.connectors.host.canaries import Canaries
from actors.connectors.host.confirm import Confirmer
from actors.connectors.host.connectors import Connectors
from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.host.gatekeeper import Gatekeeper
from actors.connectors.host.healing import Healing
from actors.connectors.host.heritage import Heritage
from actors.connectors.host.hints import Hints
from actors.connectors.host.journal import Journal
from actors.connectors.host.launch import Place
from actors.connectors.host.news import News
from actors.connectors.host.outdated import Outdated
from actors.connectors.host.resends import Resends
from actors.connectors.host.roster import Roster, refusal
from actors.connectors.host.sends import Sends
from actors.connectors.host.succession import Succession
from actors.connectors.host.upkeep import Upkeep
from actors.connectors.link_events import LinkEvent, PhaseChanged
from actors.connectors.protocol import Phase
from actors.messages import (
    Command,
    CommandResult,
    ConnectorBroke,
    ConnectorTrouble,
    Hint,
    OwnedProcess,
    Paused,
    PlanRequest,
    SendCanary,
    SendsWaiting,
    ServiceSample,
    SessionHello,
    SessionResume,
    ShardPlan,
    Transition,
    TransitionStored,
)
from actors.runtime import logs
from actors.runtime.worker import Worker
from actors.settings import host_name, shard_name
from actors.store import shard_queries
from actors.store.direct import Statements
from actors.store.engine import open_reader, open_writer
from actors.store.errors import StoreError
from actors.store.records import SessionState

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
        self._args = args
        self._settings = args.settings
        self._planning = asyncio.Lock()
        self._name = shard_name(args.shard)
        logs.identify(host_name(args.shard))
        self._hints = Hints(self._hint)
        self._owed: dict[str, tuple[int, int]] = {}
        self._ending = False
        self._fault: ConnectorFault | None = None
        self._board = board_of(args.settings, args.connector)
        place = Place(args.connector, args.share)
        self._connectors = Connectors(
            args.settings,
            self._name,
            place,
            knows=lambda session: session in self._roster,
            on_event=self._hear,
            on_fault=self._faulty,
            on_lost=self._lost,
            spawn=self.spawn,
        )
        starting = asyncio.ensure_future(self._connectors.start(threads=False))
        await asyncio.sleep(0)  # it is forked by now: the databases, which bring threads, are opened while it starts
        self._database = await open_writer(args.settings.database(self._name))
        self._api = await open_reader(args.settings.database("api"))
        self._journal = Journal(self._database, self._hints.grown)
        self.spawn(self._journal.run(), name="journal")
        self._upkeep = Upkeep(args.shard, self._database, self._journal, self._api, self._hints, args.settings)
        await self._upkeep.forget_gone()
        self._roster = Roster(await self._journal.read(shard_queries.load_states))
        self._roster.plan(args.sessions)
        self._outdated = Outdated(self._roster)
        await self._upkeep.leave(self._roster.leavers())
        link_of = self._connectors.link_of
        patience, awaited = args.settings.ack_timeout, self._hints.awaited
        self._sends = Sends(args.shard, self._journal, self._api, link_of, patience, self.spawn, awaited)
        self._canaries = Canaries(args.settings, link_of, lambda answer: self.tell("health", answer))
        self.spawn(self._canaries.look(), name="key of the canaries")
        before = (
            Resends(self._journal, self._api, link_of, self.spawn),
            self._canaries,
            Heritage(args.shard, args.settings, self._journal, self._api),
        )
        self._news = News(self._journal, self._sends, self._hints, *before)
        self.spawn(self._news.run(), name="news")
        queue = Queue(self._roster.importance, self._sends.waits, launch.PAIRINGS)
        self._gate = Gatekeeper(
            args.shard,
            self._board,
            queue,
            link_of,
            fleet=functools.partial(fleet_board, args.settings, args.connector),
            detours=Detours(self._roster.proxy),
        )
        bounds = launch.bounds_on_connects(args.settings, args.connector)
        self._gate.use(*bounds, args.share, self._roster.running())
        self.spawn(self._gate.run(), name="gate")
        self._succession = Succession(
            self._connectors,
            self._sends,
            self._roster,
            args.settings,
            self._name,
            place,
            self.post,
            crowd=lambda: self._gate.crowd,
        )
        self._healing = Healing(
            self._connectors,
            self._succession.recycling,
            self._roster,
            self.supervisor,
            self.post,
            self.spawn,
            self.tell,
            self._name,
        )
        try:
            await self._connectors.present(await starting)
        except ConnectorFault as fault:
            self._faulty(fault)
        else:
            self._outdated.use(self._client())
            self.spawn(self._succession.run(), name="succession")
        await self._sends.restore(self._roster.refusing())
        self.spawn(self._look(), name="look for sends")
        self.spawn(self._upkeep.run(), name="upkeep")
        self.spawn(self._database.keep_probing(), name="probe")

    async def _look(self) -> None:
        for look in itertools.count(1):
            await asyncio.sleep(LOOK_PERIOD)
            await self._sends.take()
            self._try_outdated_again()
            if look % REPEAT == 0:
                for session in self._roster.held_in_vain(time.time()):
                    self._tell_pause(session)

    def _tell_pause(self, session: str) -> None:
        """It changes nothing for a session that knows."""
        if (address := self._roster.address(session)) is not None:
            self.post(address, Paused(self._roster.paused_until(session, time.time())))

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
            for session in self._roster.ids():
                self._tell_trouble(session)
            await asyncio.sleep(TELLING)
        if (running := self._connectors.current) is not None:
            running.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_PATIENCE):
                    await running.link.closed.wait()
                    await running.process.ended()
                    await self._news.flush()
        if self._succession.possible:
            self.tell_owned()
            if await self._succession.succeed(why):
                self._ending, self._fault = False, None
                self._outdated.use(self._client())
                self.tell_owned()
                return
        await self.last_words()  # how the process ended
        # a connector that can't live must not end this shard, and then the fleet: the host stays, and stores, meanwhile
        await self.linger()
        if not self._stopping:
            self.crash(why, status=PROCESS_LOST_EXIT)

    def _tell_trouble(self, session: str) -> None:
        address = self._roster.address(session)
        if address is not None and self._fault is not None:
            self.post(address, ConnectorTrouble(self._fault.kind, self._fault.sentence))

    async def on_stop(self) -> None:
        """Ends the connector, stores what it said last, then closes the databases."""
        await self._connectors.stop()
        await self._succession.spare.stop()
        await self._gate.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_PATIENCE):
                await self._news.flush()
        async with self._planning:  # the last session of a shard is removed by stopping the shard
            for session in await self._upkeep.forget_gone():
                self._roster.forget(session)
            await self._upkeep.leave(self._roster.leavers())
        await self._database.close()
        await self._api.close()

    def owned(self) -> OwnedProcess | None:
        """The connector process."""
        return self._connectors.owned(self._fault)

    def sample(self) -> ServiceSample:
        """The database, and the connector process as the supervision tree shows it."""
        running = self._connectors.current
        said = running.census.report() if running is not None else None
        own = {**self._succession.report(), "admission": self._gate.report()}
        stats = None if said is None else {**said, **own}
        return ServiceSample(self._database.watch.report(), self.owned(), stats, spare=self._succession.spare.owned())

    # from the connector

    def _hear(self, event: LinkEvent, confirmer: Confirmer) -> None:
        if isinstance(event, PhaseChanged) and self._connectors.admits:
            self._gate.phase(event)
        if isinstance(event, PhaseChanged) and event.phase is Phase.CONNECTING:
            self._outdated.begins(event.session)
        self._news.take(event, confirmer)

    # from actors

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        """Messages of sessions, the gateway, recovery and the shard supervisor."""
        if isinstance(message, Transition):
            await self._transition(message, sender)
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
            await self._sends.take()
        elif isinstance(message, SendCanary):
            self.spawn(self._canaries.send(message), name="canary")
        elif isinstance(message, ShardPlan):
            await self._plan(message)

    async def _hello(self, message: SessionHello, sender: ActorAddress) -> None:
        if self._connectors.is_behind(message.session):
            return  # it asks again: an actor that follows another must not connect beside what that one left behind
        known = self._roster.enter(message, sender)
        if known is None:
            return  # not of this shard (any more)
        self.post(
            sender,
            SessionResume(
                message.session, message.incarnation, known.life, known.saved, known.enabled, known.paused_until
            ),
        )
        self._tell_trouble(message.session)

    async def _transition(self, message: Transition, sender: ActorAddress) -> None:
        if message.session not in self._roster:
            return  # it was removed
        state = self._outdated.marked(
            SessionState(
                session=message.session,
                incarnation=message.life,
                number=message.number,
                state=message.state,
                since=message.at,
                cause=message.cause,
                code=message.code,
                data=message.data,
            )
        )

        async def store(conn: Statements) -> bool:
            owed = self._owed.get(state.session)
            if owed is not None and owed[0] == state.incarnation and owed[1] < state.number:
                return False  # one before it could not be stored: both come again, in their order
            await shard_queries.store_transition(conn, state)
            self._hints.concerns_all()
            return True

        try:
            if not await self._journal.write(store):
                return
        except StoreError as error:
            self._database.watch.tell(log, "a transition could not be stored, it will come again", error)
            owed = self._owed.get(state.session)
            if owed is None or (owed[0], state.number) < (state.incarnation, owed[1]):
                self._owed[state.session] = (state.incarnation, state.number)
            return
        if self._owed.get(state.session, (0, 0)) <= (state.incarnation, state.number):
            self._owed.pop(state.session, None)
        self._roster.stored(state)
        self._gate.stored(state)
        self.post(sender, TransitionStored(message.session, message.life, message.number))
        if self._roster.unaware(state, time.time()):
            self._tell_pause(state.session)
        if (cause := refusal(state)) is not None:
            self._sends.refuse(state.session, cause)
            return
        self._sends.allow(state.session)

    async def _command(self, message: Command) -> None:
        if message.name == "heal" and self._healing.order(message):
            return
        if message.name in {"start", "stop"}:
            self._roster.enable(message.session, message.name == "start")
        if message.name == "reconnect":
            self._gate.hurry(message.session)
        address = self._roster.address(message.session)
        if address is None:
            error = ("unavailable", f"the actor of {message.session} is starting, or parked after crashes")
            self.post(message.reply_to, CommandResult(message.correlation, error=error))
        else:
            self.post(address, message)

    async def _plan(self, message: ShardPlan) -> None:
        async with self._planning:  # in their order
            await self._follow(message)

    async def _follow(self, message: ShardPlan) -> None:
        self._news.replan()
        for plan in self._roster.repaused(message.sessions):
            if (address := self._roster.address(plan.id)) is not None:
                self.post(address, Paused(plan.paused_until))
        for plan in self._roster.plan(message.sessions):
            # the operator's command may have been lost on its way; a session that got it does nothing now
            name = "start" if plan.enabled else "stop"
            if (address := self._roster.address(plan.id)) is not None:
                self.post(address, Command(0, plan.id, name, {}, self.myAddress))
        self._healing.tell_pauses()
        await self._forget_gone()
        await self._upkeep.leave(self._roster.leavers())
        self._sends.judge(self._roster.refusing())
        before, settings = self._settings, self._settings.tuned(message.tuning)
        self._settings = settings
        logs.set_level(settings.log_level)
        self._upkeep.use(settings)
        self._sends.use(settings.ack_timeout)
        self._succession.use(settings)
        bounds = launch.bounds_on_connects(settings, self._args.connector)
        self._gate.use(*bounds, message.share, self._roster.running())
        await self._connectors.use(settings, message.share)
        if self._connectors.current is not None:
            self._outdated.use(self._client())  # the connector has answered: what connects from now on has it
        if settings.connectors.baileys.client_version != before.connectors.baileys.client_version:
            self._gate.try_again()
            self._try_outdated_again()

    def _client(self) -> str:
        """What the connector tells WhatsApp that it is, and what else may make a difference."""
        assert self._connectors.current is not None
        hello, version = self._connectors.current.uplink.hello, self._settings.connectors.baileys.client_version
        return f"{hello.connector} {hello.version} {'.'.join(map(str, version or ()))}".rstrip()

    def _try_outdated_again(self) -> None:
        """What WhatsApp thought of the version before says nothing about the new one."""
        due = self._outdated.due(time.time())
        if any(due.values()):  # else the client may be the one that was refused
            self._gate.try_again()
        for session in due:
            if (address := self._roster.address(session)) is not None:
                self.post(address, Command(0, session, "reconnect", {}, self.myAddress))

    async def _forget_gone(self) -> None:
        gone = await self._upkeep.forget_gone()
        for session in gone:
            self._roster.forget(session)
            self._connectors.forget(session)
            self._gate.forget(session)
            self._owed.pop(session, None)
        self._outdated.forget(gone)
        self._sends.forget(gone)

    def _hint(self, name: str, upto: int) -> None:
        self.tell(name, Hint(self._name, upto))

    async def on_directory(self, directory: Any) -> None:
        """A consumer may have started afresh."""
        self._hints.everybody()
        self._healing.tell_pauses(again=True)
