"""The session actor: feeds the state machine what happens, and does what it returns."""

import asyncio
import collections
import itertools
import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from thespian.actors import ActorAddress

from actors.connectors.host.fault import FaultKind
from actors.connectors.link_events import LinkEvent, Opened, Rtt
from actors.connectors.protocol import Hello
from actors.connectors.proxytarget import ProxyTarget
from actors.messages import (
    Command,
    CommandResult,
    ConnectorBroke,
    ConnectorTrouble,
    HostAddress,
    MoveLink,
    Paused,
    PlanAnswer,
    PlanRequest,
    ProxyPlan,
    SessionHello,
    SessionPlan,
    SessionResume,
    Transition,
    TransitionStored,
    UseProxy,
)
from actors.recovery.backoff import bound
from actors.recovery.plans import Action
from actors.runtime.process import merge_memory
from actors.runtime.worker import Worker
from actors.session import effects, inputs, resume
from actors.session.causes import Cause, cause_named, explain
from actors.session.duties import Duties
from actors.session.link import LinkTo, SessionLink
from actors.session.machine import step
from actors.session.sample import Folder
from actors.session.state import Proxy, SessionState
from actors.session.translate import link_up, translate
from actors.session.vocabulary import State
from actors.settings import SOCKET_VAULT, Settings
from actors.vault.client import Reservation

log = logging.getLogger(__name__)

REPEAT_FIRST = 1.0
"""Seconds until what the host did not confirm is sent again; doubled each time: a slow host gets no more to do."""
REPEAT_LONGEST = 30.0
REPEATED = 20
"""Transitions sent again at a time: with a full disk there may be many."""
KEPT = 1000
"""Transitions that wait in memory to be stored; beyond it those in the middle are lost, and the log says so."""
NICENESS = 5
"""Sessions are many: when the machine is short of time, those that serve them all come first."""
RETIRED_EXIT = 73
"""Exit status of an actor whose session is owned by a newer one."""

COMMANDS: Mapping[str, Callable[[str], inputs.Command]] = {
    "start": inputs.Start,
    "stop": inputs.Stop,
    "reconnect": inputs.Reconnect,
    "logout": inputs.Logout,
    "pairing": inputs.PairingRequested,
    "auth_read": lambda ref: inputs.AuthTaken(ref, replaced=False),
    "auth_replaced": lambda ref: inputs.AuthTaken(ref, replaced=True),
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

    async def on_init(self, args: SessionArgs) -> None:
        if args.settings.supervision.merge_memory:
            merge_memory()
        os.nice(NICENESS)
        self._args = args
        self._host = args.host
        self._life = 0
        self._number = 0
        self._generation = 0
        self._connector: int | None = None
        """Pid of the connector process that the last link was to."""
        self._versions: dict[str, str] = {}
        self._unstored: collections.deque[Transition] = collections.deque()
        self._lost = 0
        self._commands: dict[str, Command] = {}
        self._nudge = asyncio.Event()
        """There is something new for the host."""
        self._linking: asyncio.Task[Any] | None = None
        self.state = SessionState(seed=self.id)
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
            down=lambda: self.feed(inputs.LinkDown()),
            on_event=self._connector_says,
            on_fault=self._connector_broke,
        )
        self._duties = Duties(self._link, self.feed, self.spawn)
        self._use_proxy(args.plan.proxy)
        self.spawn(self._report(), name="report to the host")

    def sample(self) -> Any:
        """What happened since the last heartbeat."""
        return self._folder.take(self.state, time.time())

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        """Messages of the host, of recovery and of the supervisor."""
        if isinstance(message, SessionResume):
            self._resume(message)
        elif isinstance(message, TransitionStored):
            self._stored(message)
        elif isinstance(message, PlanAnswer):
            self.feed(inputs.PlanArrived(message.ask, Action(message.action), message.delay))
        elif isinstance(message, Command):
            self._command(message)
        elif isinstance(message, HostAddress):
            self._host, self._life = message.address, 0  # the new host gives out a new life
            self._link.hurry()
            self._nudge.set()
        elif isinstance(message, Paused) and self.state.resumed:
            self.feed(inputs.PauseChanged(message.until))
        elif isinstance(message, UseProxy):
            self._use_proxy(message.proxy)
        elif isinstance(message, MoveLink) and self.state.resumed:
            self.feed(inputs.Move())
        elif isinstance(message, ConnectorTrouble) and self.state.resumed:
            self.feed(inputs.ConnectorFaulty(message.fault, message.sentence))
            self._link.drop()

    # the host

    def _say_hello(self) -> None:
        if self._host is not None and self._life == 0:
            self.post(self._host, SessionHello(self.id, self.incarnation, os.getpid()))

    def _owed(self) -> int | None:
        """What the host has to confirm next: 0 for the hello, a transition's number, or None."""
        if self._life == 0:
            return 0
        return self._unstored[0].number if self._unstored else None

    async def _report(self) -> None:
        """Repeats what the host has not confirmed; sleeps while there is nothing."""
        tries = 0
        while True:
            self._say_hello()
            owed = self._owed()
            self._nudge.clear()
            wait = bound(tries, base_s=REPEAT_FIRST, cap_s=REPEAT_LONGEST) * random.uniform(0.75, 1.25)
            try:
                await asyncio.wait_for(self._nudge.wait(), None if owed is None else wait)
            except TimeoutError:
                tries = tries + 1 if owed == self._owed() else 0
            else:
                tries = 0
                continue
            if tries and owed:
                for transition in itertools.islice(self._unstored, REPEATED):
                    self.post(self._host, transition)

    def _resume(self, message: SessionResume) -> None:
        if message.incarnation != self.incarnation or message.life <= self._life:
            return
        self._life = message.life
        self._nudge.set()
        self._unstored = collections.deque(replace(t, life=self._life) for t in self._unstored)
        for transition in self._unstored:
            self.post(self._host, transition)
        if self.state.resumed:
            self.feed(inputs.PauseChanged(message.paused_until))
            return
        saved = None
        if message.saved is not None:
            try:
                saved = resume.load(message.saved)
            except resume.BadSavedState as error:
                log.error("%s: the stored state can't be used and is ignored: %s", self.id, error)
        self.feed(inputs.Resumed(saved, message.enabled, message.paused_until))
        self._linking = self.spawn(self._link.run(), name="link")

    def _stored(self, message: TransitionStored) -> None:
        while self._unstored and message.life == self._life and self._unstored[0].number <= message.number:
            self._unstored.popleft()

    def _use_proxy(self, plan: ProxyPlan | None) -> None:
        known = plan is not None and plan.url is not None
        self._duties.proxy = ProxyTarget(plan.mark, plan.url.reveal()) if plan is not None and plan.url else None
        self.feed(inputs.ProxyChanged(None if plan is None else Proxy(plan.name, plan.mark, known)))

    # the connector

    def _link_up(self, hello: Hello, reserved: Reservation) -> None:
        self._generation = reserved.generation
        self._versions["connector"] = f"{hello.connector} {hello.version}"
        before, self._connector = self._connector, hello.pid
        self.feed(link_up(hello, before, replaced=reserved.replaced))

    def _connector_broke(self, pid: int, fault: FaultKind, sentence: str) -> None:
        """The host ends that process.  Of one that does not answer nobody but this session knows."""
        if fault is FaultKind.SILENT:
            self.feed(inputs.ConnectorFaulty(fault, sentence))
        elif self._host is not None:
            self.post(self._host, ConnectorBroke(self.id, pid, fault, sentence))

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
            self.feed(inputs.PairingCodeRequested(ref, message.args["phone"]))
        elif message.name == "heal":
            self.feed(inputs.Heal(ref, cause_named(str(message.args.get("cause"))) or Cause.UNKNOWN))
        elif (command := COMMANDS.get(message.name)) is not None:
            self.feed(command(ref))
        else:
            self._answer(ref, None, ("invalid", f"no such command: {message.name!r}"))

    def _answer(self, ref: str, ok: Any, error: tuple[str, str] | None) -> None:
        if (command := self._commands.pop(ref, None)) is not None:
            self.post(command.reply_to, CommandResult(command.correlation, ok, error))

    # the machine

    def feed(self, event: inputs.Event) -> None:
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
                if self._host is not None:
                    request = PlanRequest(
                        self.id, effect.ask, str(effect.cause), effect.attempt, dict(effect.data), self.myAddress
                    )
                    self.post(self._host, request)
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
        self._number += 1
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
        transition = Transition(
            self.id, self._life, self._number, now, str(effect.state), cause, effect.code or None, data
        )
        self._unstored.append(transition)
        if len(self._unstored) == 1:
            self._nudge.set()
        if len(self._unstored) > KEPT:
            del self._unstored[1]  # the first stays: the host takes none after one that it still waits for
            self._lost += 1
            if self._lost % KEPT == 1:
                log.error("%s: %d of its transitions are lost: nothing can be stored", self.id, self._lost)
        if self._life and self._host is not None:
            self.post(self._host, transition)
