"""The connector host actor: owns one connector process, knows the sessions of its shard, writes the shard's database.

Its life is the life of its process: when the process ends the actor ends too, and its supervisor starts both afresh.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any

from thespian.actors import ActorAddress

from actors.connectors.baileys import launch as baileys
from actors.connectors.fields import BadField
from actors.connectors.host.journal import Journal
from actors.connectors.host.news import News
from actors.connectors.host.process import (
    ConnectorFailed,
    ConnectorProcess,
    scrubbed_environment,
    simulator_command,
)
from actors.connectors.host.roster import Roster
from actors.connectors.host.sends import Sends
from actors.connectors.link_events import parse_host_event
from actors.connectors.protocol import PROTOCOL, Admission, StartLine
from actors.messages import (
    Command,
    CommandResult,
    Hint,
    PlanRequest,
    SendsWaiting,
    SessionHello,
    SessionPlan,
    SessionResume,
    ShardPlan,
    Transition,
    TransitionStored,
)
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, LinkClosed, RemoteError
from actors.runtime.worker import Worker
from actors.settings import SOCKET_VAULT, Settings, connector_options, shard_name
from actors.store import shard_queries
from actors.store.engine import open_reader, open_writer
from actors.store.errors import StoreError
from actors.store.records import SessionState

log = logging.getLogger(__name__)

PROCESS_LOST_EXIT = 72
"""Exit status when the connector process died (EX_OSFILE's neighbour: a part of the system is missing)."""
HINT_PAUSE = 0.02
"""Seconds between two hints: changes that come together are one message."""
HINTED = ("health", "recovery", "gateway")


@dataclass(frozen=True, slots=True)
class HostArgs:
    """What a host is started with."""

    settings: Settings
    shard: int
    connector: str
    sessions: tuple[SessionPlan, ...]
    shards: int
    """Shards with the same connector: the divisor of the fleet's bound on connects per second."""


class ConnectorHost(Worker):
    """See the module."""

    async def on_init(self, args: HostArgs) -> None:
        self._args = args
        self._name = shard_name(args.shard)
        self._link: Link | None = None
        self._hinted_at = 0.0
        self._hint_pending = False
        self._upto = 0
        try:
            self._process = await self._start_process()
        except ConnectorFailed as error:
            self.crash(str(error), status=PROCESS_LOST_EXIT)
        self._process.watch(self._process_ended)
        self._database = await open_writer(args.settings.database(self._name))
        self._api = await open_reader(args.settings.database("api"))
        self._journal = Journal(self._database, self._grown)
        self.spawn(self._journal.run(), name="journal")
        self._roster = Roster(await self._journal.read(shard_queries.load_states))
        self._roster.plan(args.sessions)
        self._sends = Sends(self._journal, self._api, lambda: self._link, args.settings.ack_timeout, self.spawn)
        self._news = News(self._journal, self._sends)
        await self._connect()
        await self._sends.restore(plan.id for plan in args.sessions)

    def _admission(self, shards: int) -> Admission:
        connectors = self._args.settings.connectors
        section = connectors.baileys if self._args.connector == "baileys" else connectors.simulator
        # without a lease from recovery a host takes its equal share: the fleet's bound holds with nobody in charge
        share = section.connects_per_second / max(1, shards)
        return Admission(share, burst=max(1, round(share)), pairings=2)

    async def _start_process(self) -> ConnectorProcess:
        args, settings = self._args, self._args.settings
        socket = settings.socket(f"{self._name}.connector.sock")
        line = StartLine(
            connector=args.connector,
            socket=socket,
            vault=settings.socket(SOCKET_VAULT),
            host=self._name,
            options=connector_options(settings.connectors, args.connector, settings.ack_timeout),
            admission=self._admission(args.shards),
        )
        if args.connector == "baileys":
            if settings.node is None:
                raise ConnectorFailed("no Node.js of version 20 or later was found: `make setup` installs one")
            return await ConnectorProcess.start(baileys.command(settings.node), baileys.environment(), line)
        return await ConnectorProcess.start(simulator_command(), scrubbed_environment(), line)

    async def _connect(self) -> None:
        path = self._args.settings.socket(f"{self._name}.connector.sock")
        self._link = await Link.connect(path, on_event=self._event)
        await self._link.request("hello", protocol=PROTOCOL, role="host")
        self.spawn(self._watch_link(self._link), name="host link")

    async def _watch_link(self, link: Link) -> None:
        await link.closed.wait()
        if not self._stopping:
            await asyncio.sleep(0.5)  # the process usually died: then its exit status tells more than the link
            self.crash("the connector closed the host's link", status=PROCESS_LOST_EXIT)

    def _process_ended(self, status: int) -> None:
        if not self._stopping:
            self.crash(f"connector process {self._process.popen.pid} ended: {status}", status=PROCESS_LOST_EXIT)

    async def on_stop(self) -> None:
        """Ends the connector, then closes the databases."""
        await self._process.stop()
        await self._database.close()
        await self._api.close()

    def sample(self) -> Any:
        """The connector process, as the supervision tree shows it."""
        return {
            "id": f"{self._name}/connector",
            "kind": "connector-process",
            "pid": self._process.popen.pid,
            "state": "running",
            "version": self._process.ready.version,
            "restarts": 0,
            "lastExit": None,
            "uptimeSeconds": None,
            "children": [],
        }

    # from the connector

    def _event(self, _link: Link, frame: Frame) -> None:
        try:
            event = parse_host_event(frame)
        except BadField as error:
            self.crash(f"the connector sent a malformed event: {error}", status=PROCESS_LOST_EXIT)
            return
        if event is not None:
            self.spawn(self._news.take(event), name=f"event {event.name}")

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
        elif isinstance(message, SendsWaiting):
            await self._sends.take()
        elif isinstance(message, ShardPlan):
            await self._plan(message)

    async def _hello(self, message: SessionHello, sender: ActorAddress) -> None:
        known = self._roster.enter(message, sender)
        if known is None:
            return  # not of this shard (any more)
        saved = known.saved
        self.post(sender, SessionResume(message.session, message.incarnation, known.life, saved, known.enabled))

    async def _transition(self, message: Transition, sender: ActorAddress) -> None:
        state = SessionState(
            session=message.session,
            incarnation=message.life,
            number=message.number,
            state=message.state,
            since=message.at,
            cause=message.cause,
            code=message.code,
            data=message.data,
        )
        try:
            await self._journal.write(lambda conn: shard_queries.store_transition(conn, state))
        except StoreError as error:
            log.error("a transition of %s could not be stored, it will come again: %s", message.session, error)
            return
        self._roster.stored(state)
        self.post(sender, TransitionStored(message.session, message.life, message.number))
        if message.state in {"blocked", "halted"} and not message.data.get("until"):
            self._sends.fail_all(message.session, message.cause or message.state)

    async def _command(self, message: Command) -> None:
        if message.name in {"start", "stop"}:
            self._roster.enable(message.session, message.name == "start")
        address = self._roster.address(message.session)
        if address is None:
            error = ("unavailable", f"the actor of {message.session} is starting, or parked after crashes")
            self.post(message.reply_to, CommandResult(message.correlation, error=error))
        else:
            self.post(address, message)

    async def _plan(self, message: ShardPlan) -> None:
        self._roster.plan(message.sessions)
        self._sends.sessions_changed(plan.id for plan in message.sessions)
        if self._link is not None:
            try:
                await self._link.request("admission", **self._admission(message.shards).to_wire())
            except (LinkClosed, TimeoutError):
                return  # the end of the process is noticed elsewhere
            except RemoteError as error:
                log.error("%s refused the admission bounds: %s", self._name, error)

    # hints

    def _grown(self, upto: int) -> None:
        if upto <= self._upto:
            return
        self._upto = upto
        wait = self._hinted_at + HINT_PAUSE - time.monotonic()
        if wait <= 0:
            self._hint()
        elif not self._hint_pending:
            self._hint_pending = True
            asyncio.get_running_loop().call_later(wait, self._hint)

    def _hint(self) -> None:
        self._hint_pending = False
        self._hinted_at = time.monotonic()
        for name in HINTED:
            self.tell(name, Hint(self._name, self._upto))

    async def on_directory(self, directory: Any) -> None:
        """A consumer may have started afresh: it is told where the outbox stands."""
        self._hint()
