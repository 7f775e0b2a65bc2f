"""The session actor: feeds the state machine what happens, and does what it returns."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from thespian.actors import ActorAddress

from actors.connectors.host.fault import OF_ONE_SESSION, FaultKind
from actors.connectors.link_events import LinkEvent, Opened, Rtt
from actors.connectors.protocol import Hello
from actors.connectors.proxytarget import ProxyTarget
from actors.messages.plans import ProxyPlan, SessionPlan
from actors.messages.services import Command, CommandResult
from actors.messages.sessions import (
    ConnectorBroke,
    ConnectorTrouble,
    HostAddress,
    MoveLink,
    Paused,
    PlanAnswer,
    PlanRequest,
    SessionHello,
    SessionResume,
    TransitionStored,
    UsePolicy,
    UseProxy,
)
from actors.recovery.plans import Action
from actors.recovery.tuning import policy
from actors.runtime import merging, scheduling
from actors.runtime.worker import Worker
from actors.session import effects, resume
from actors.session.causes import Cause, cause_named, explain
from actors.session.duties import Duties
from actors.session.inputs import clock, host, operators
from actors.session.inputs.event import Event
from actors.session.link import LinkTo, SessionLink
from actors.session.machine import step
from actors.session.reporting import Reporting
from actors.session.sample import Folder
from actors.session.state import Proxy, SessionState
from actors.session.translate import link_up, translate
from actors.session.vocabulary import State
from actors.settings import SOCKET_VAULT, Settings
from actors.vault.client import Reservation

log = logging.getLogger(__name__)

NICENESS = 5
"""Sessions are many: when the machine is short of time, those that serve them all come first."""
SLICE = 0.0003
"""Seconds; what a session does when it is woken takes little time, and somebody waits for it."""
RETIRED_EXIT = 73
"""Exit status of an actor whose session is owned by a newer one."""

COMMANDS: Mapping[str, Callable[[str], operators.Command]] = {
    "start": operators.Start,
    "stop": operators.Stop,
    "reconnect": operators.Reconnect,
    "logout": operators.Logout,
    "pairing": operators.PairingRequested,
    "auth_read": lambda ref: operators.AuthTaken(ref, replaced=False),
    "auth_replaced": lambda ref: operators.AuthTaken(ref, replaced=True),
}


@dataclass(frozen=True, slots=True)
class SessionArgs:
    """What a session actor is started with."""

    settings: Settings
    plan: SessionPlan
    shard: str
    host: ActorAddress | None


class SessionActor(Worker):
    """One session.  It opens no database: the host stores its transitions, the vault its auth state."""

    def __init__(self) -> None:
        scheduling.yield_to_others(NICENESS, SLICE)
        super().__init__()

    async def on_init(self, args: SessionArgs) -> None:
        self._args = args
        self._generation = 0
        self._connector: int | None = None
        """Pid of the connector process that the last link was to."""
        self._versions: dict[str, str] = {}
        self._commands: dict[str, Command] = {}
        self._linking: asyncio.Task[Any] | None = None
        self._reporting = Reporting(SessionHello(self.id, self.incarnation, os.getpid()), args.host, self.post)
        self.state = SessionState(seed=self.id, policy=policy(args.settings.recovery))
        self._folder = Folder()
        settings = args.settings
        to = LinkTo(
            self.id,
            settings.socket(f"{args.shard}.connector.sock"),
            settings.socket(SOCKET_VAULT),
            args.plan.profile,
        )
        self._link = SessionLink(
            to,
            up=self._link_up,
            down=lambda: self.feed(host.LinkDown()),
            on_event=self._connector_says,
            on_fault=self._connector_broke,
        )
        self._duties = Duties(self._link, self.feed, self.spawn)
        self._use_proxy(args.plan.proxy)
        self.spawn(self._reporting.run(), name="report to the host")
        if args.settings.supervision.merge_memory:
            self.spawn(merging.keep_offering(), name="offer equal pages")

    def sample(self) -> Any:
        """What happened since the last heartbeat."""
        return self._folder.take(self.state, time.time())

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        """Messages of the host, of recovery and of the supervisor."""
        if isinstance(message, SessionResume):
            self._resume(message)
        elif isinstance(message, TransitionStored):
            self._reporting.stored(message)
        elif isinstance(message, PlanAnswer):
            self.feed(clock.PlanArrived(message.ask, Action(message.action), message.delay))
        elif isinstance(message, Command):
            self._command(message)
        elif isinstance(message, HostAddress):
            self._reporting.move(message.address)
            self._link.hurry()
        elif isinstance(message, Paused) and self.state.resumed:
            self.feed(host.PauseChanged(message.until))
        elif isinstance(message, UseProxy):
            self._use_proxy(message.proxy)
        elif isinstance(message, UsePolicy):
            self.feed(host.PolicyChanged(message.policy))
        elif isinstance(message, MoveLink) and self.state.resumed:
            self.feed(host.Move())
        elif isinstance(message, ConnectorTrouble) and self.state.resumed:
            self.feed(host.ConnectorFaulty(message.fault, message.sentence))
            self._link.drop()

    # the host

    def _resume(self, message: SessionResume) -> None:
        if not self._reporting.resume(message):
            return
        if self.state.resumed:
            self.feed(host.PauseChanged(message.paused_until))
            return
        saved = None
        if message.saved is not None:
            try:
                saved = resume.load(message.saved)
            except resume.BadSavedState as error:
                log.error("%s: the stored state can't be used and is ignored: %s", self.id, error)
        self.feed(host.Resumed(saved, message.enabled, message.paused_until))
        self._linking = self.spawn(self._link.run(), name="link")

    def _use_proxy(self, plan: ProxyPlan | None) -> None:
        known = plan is not None and plan.url is not None
        self._duties.proxy = ProxyTarget(plan.mark, plan.url.reveal()) if plan is not None and plan.url else None
        self.feed(host.ProxyChanged(None if plan is None else Proxy(plan.name, plan.mark, known)))

    # the connector

    def _link_up(self, hello: Hello, reserved: Reservation) -> None:
        self._generation = reserved.generation
        self._versions["connector"] = f"{hello.connector} {hello.version}"
        before, self._connector = self._connector, hello.pid
        self.feed(link_up(hello, before, replaced=reserved.replaced))

    def _connector_broke(self, pid: int, fault: FaultKind, sentence: str) -> None:
        """The host ends that process; but for one that does not serve this session the others would pay."""
        if fault in OF_ONE_SESSION:
            self.feed(host.ConnectorFaulty(fault, sentence))
        else:
            self._reporting.tell(ConnectorBroke(self.id, pid, fault, sentence))

    def _connector_says(self, event: LinkEvent) -> None:
        if isinstance(event, Opened) and event.version:
            self._versions["client"] = event.version
        if (translated := translate(event)) is not None:
            self.feed(translated)
        if isinstance(event, Rtt):
            self.awake()

    # operators

    def _command(self, message: Command) -> None:
        ref = str(message.correlation)
        self._commands[ref] = message
        if message.name == "pairing_code":
            self.feed(operators.PairingCodeRequested(ref, message.args["phone"]))
        elif message.name == "heal":
            self.feed(operators.Heal(ref, cause_named(str(message.args.get("cause"))) or Cause.UNKNOWN))
        elif (command := COMMANDS.get(message.name)) is not None:
            self.feed(command(ref))
        else:
            self._answer(ref, None, ("invalid", f"no such command: {message.name!r}"))

    def _answer(self, ref: str, ok: Any, error: tuple[str, str] | None) -> None:
        if (command := self._commands.pop(ref, None)) is not None:
            self.post(command.reply_to, CommandResult(command.correlation, ok, error))

    # the machine

    def feed(self, event: Event) -> None:
        """Tells the machine, and does what it wants done."""
        now = time.time()
        self._folder.fold(event, now)
        self.state, wanted = step(self.state, event, now)
        for effect in wanted:
            self._perform(effect, now)

    def _perform(self, effect: effects.Effect, now: float) -> None:
        match effect:
            case effects.ReportTransition():
                self._transition(effect, now)
            case effects.AskPlan():
                cause, data = str(effect.cause), dict(effect.data)
                self._reporting.tell(PlanRequest(self.id, effect.ask, cause, effect.attempt, data, self.myAddress))
            case effects.AnswerCommand():
                error = None if effect.error is None else (effect.error, effect.message)
                self._answer(effect.ref, dict(effect.data), error)
            case effects.RequestPairingCode():
                self.spawn(self._pairing_code(effect), name="pairing code")
            case effects.ReportPaired():
                log.info("%s is paired", self.id)
            case effects.Retire():
                self.crash("a newer actor owns the session", status=RETIRED_EXIT)
            case effects.PublishQr():
                pass  # answered to those who wait for it; never stored
            case _:
                self._duties.perform(effect)

    def _log(self, effect: effects.ReportTransition) -> None:
        if effect.resumed:
            return
        if effect.state in {State.BLOCKED, State.HALTED} and effect.cause is not None:
            cause = effect.cause
            log.warning("%s is %s: %s %s", self.id, effect.state, explain(cause, effect.data), cause.remedy)
        elif effect.cause is not None and effect.previous is State.OPEN:
            log.info("%s: %s -> %s, %s", self.id, effect.previous, effect.state, effect.cause)
        elif effect.state is State.OPEN:
            log.info("%s is open", self.id)

    async def _pairing_code(self, effect: effects.RequestPairingCode) -> None:
        ok, error = await self._duties.pairing_code(effect.phone)
        self._answer(effect.ref, ok, error)

    def _transition(self, effect: effects.ReportTransition, now: float) -> None:
        self._log(effect)
        data = {
            "previous": str(effect.previous),
            "resumed": effect.resumed,
            "downSince": effect.down_since,
            "reason": effect.reason or None,
            "message": effect.message or None,
            "detail": dict(effect.data),
            "attempt": effect.attempt,
            "generation": self._generation,
            "me": self.state.me,
            "until": effect.until,
            "nextAttemptAt": self.state.next_attempt_at,
            "held": self.state.held,
            "heardAt": self._folder.heard_at,
            "plannedBy": self.state.planned_by if effect.state is State.CONNECTING else None,
            "versions": dict(self._versions),
            "saved": resume.dump(self.state.to_save()),
        }
        cause = str(effect.cause) if effect.cause is not None else None
        self._reporting.report(now, str(effect.state), cause, effect.code or None, data)
