"""The supervisor actor: carries out what the pure decision returns.

It runs no asyncio loop and opens no file, so that it may fork: every child is a process.
"""

import logging
import os
import random
import time
from datetime import timedelta
from typing import Any

from thespian.actors import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    ChildActorExited,
    DeadEnvelope,
    PoisonMessage,
    WakeupMessage,
)

from actors.messages.supervision import (
    Directory,
    Heartbeat,
    Init,
    Ping,
    Pong,
    Restarts,
    ServiceUp,
    Shutdown,
    Stop,
    TreeAnswer,
    TreeQuery,
    Up,
)
from actors.runtime import logs
from actors.runtime.outbox import Outbox, transmit_for
from actors.runtime.process import set_name, settle_actor
from actors.supervision import clock, decision, stopping, tally
from actors.supervision.children import Processes
from actors.supervision.spec import Policy
from actors.supervision.state import AskToStop, Escalate, Exit, Finished, Kill, Result, Start, State
from actors.supervision.tally import Tally
from actors.supervision.vitals import Vitals

log = logging.getLogger(__name__)

ESCALATE_EXIT = 71
"""Exit status of a supervisor whose children failed too often."""


class Supervisor(Actor):
    """Subclasses say which children they have (``configure``) and which actor class runs each (``actor_class``)."""

    def __init__(self) -> None:
        settle_actor()
        super().__init__()
        self.id = ""
        self.args: Any = None
        self.policy = Policy()
        self.state = State()
        self.tally = Tally()
        self.processes = Processes(self)
        self.directory = Directory(version=0)
        self.parent: ActorAddress | None = None
        self.vitals = Vitals()
        self._init: Init | None = None
        self._outbox = Outbox(transmit_for(self), self._flush)
        self._rng = random.Random()
        self._next_beat = 0.0
        self._look_at = float("inf")
        self._wakeup = 0

    # what subclasses say

    def configure(self, args: Any) -> None:
        """Adds the first children; called once."""

    def actor_class(self, id: str) -> type[Actor]:
        """The class that runs a child."""
        raise KeyError(id)

    def heartbeat(self) -> float:
        """Seconds between heartbeats of the children."""
        return 10.0

    def exported(self, id: str) -> str | None:
        """The name under which a child is in the directory, or None."""
        return None

    def child_args(self, id: str) -> Any:
        """What a child is started with."""
        return self.state.children[id].args

    def on_child_up(self, id: str, address: ActorAddress) -> None:
        """A child is ready."""

    def on_sample(self, id: str, sample: Any) -> None:
        """What a child folded since its last heartbeat."""

    def on_tick(self, now: float) -> None:
        """Every tick."""

    def on_other(self, message: Any, sender: ActorAddress) -> None:
        """A message that is not of the supervision protocol."""

    def on_restarts(self) -> None:
        """The tally grew: the parent is told, so that nothing is lost with this supervisor."""
        if self._init is not None:
            self.send(self.parent, Restarts(self.id, self._init.incarnation, self.tally.total))

    def send(self, address: ActorAddress, message: Any) -> None:
        """Sends at once what the receiver has room for; a child that hangs holds up nobody."""
        self._outbox.put(address, message)
        self._outbox.flush()

    def _flush(self) -> None:
        """A receiver has room again: Thespian calls back where transmits may begin."""
        self._outbox.flush()

    # Thespian's entry

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:  # noqa: N802
        """Never raises: Thespian would call it a second time with the same message."""
        try:
            self._receive(message, sender)
        except Exception as error:
            log.critical("supervisor %s failed on %s", self.id, type(message).__name__, exc_info=error)
            os._exit(ESCALATE_EXIT)

    def _receive(self, message: Any, sender: ActorAddress) -> None:
        now = time.monotonic()
        if isinstance(message, Heartbeat | Restarts):
            self._report(message, now)
        elif isinstance(message, WakeupMessage):
            self._woken(message, now)
        elif isinstance(message, ChildActorExited):
            self._exited(message.childAddress, now)
        elif isinstance(message, Up):
            self._up(message, sender, now)
        elif isinstance(message, Init):
            self._start(message, sender, now)
        elif isinstance(message, Directory):
            self._spread(message)
        elif isinstance(message, ServiceUp):
            self.on_service(message)
        elif isinstance(message, TreeQuery | Ping):
            self.send(sender, Pong() if isinstance(message, Ping) else self._describe(message, now))
        elif isinstance(message, Stop | Shutdown):
            self._do(stopping.shutdown(self.state, now), now)
        elif isinstance(message, ActorExitRequest):
            os._exit(0)  # only the end of the whole system sends it
        elif not isinstance(message, PoisonMessage | DeadEnvelope):
            self.on_other(message, sender)
        self._schedule(now)

    def _count(self, after: Tally) -> None:
        grew, self.tally = after.total != self.tally.total, after
        if grew:
            self.on_restarts()

    def _report(self, message: Heartbeat | Restarts, now: float) -> None:
        if isinstance(message, Restarts):
            self._count(tally.told(self.tally, message.id, message.incarnation, message.by_kind))
            return
        self.state = decision.beat(self.state, message.id, message.incarnation, now)
        if not self._current(message.id, message.incarnation):
            return
        self.vitals.heard(message, now)
        if message.sample is not None:
            self.on_sample(message.id, message.sample)

    def _start(self, message: Init, sender: ActorAddress, now: float) -> None:
        logs.restore()
        self._init, self.parent = message, sender
        self.id, self.args = message.id, message.args
        set_name(f"wv:{message.id}")
        logs.identify(message.id)
        logs.warm_up()
        self.configure(message.args)
        self.send(sender, Up(self.id, message.incarnation, os.getpid()))
        self._tick(now)

    def _woken(self, message: WakeupMessage, now: float) -> None:
        """Thespian can't cancel: a wake-up that an earlier one replaced means nothing, or each would beget others."""
        if message.payload == self._wakeup:
            self._look_at = float("inf")
            self._tick(now)

    def _tick(self, now: float) -> None:
        for address in self.processes.dead():
            self._exited(address, now)
        self._do(clock.tick(self.state, now, self.policy), now)
        if self._init is not None and self._init.heartbeat > 0 and now >= self._next_beat:
            self._next_beat = now + self._init.heartbeat
            self.send(self.parent, self.vitals.beat(self.id, self._init.incarnation, now, self._outbox.dropped))
        self.on_tick(now)

    def _schedule(self, now: float) -> None:
        """One pending wake-up at a time, unless something is due earlier."""
        if self._init is None:
            return
        look = clock.next_look(self.state, now, self.policy)
        if now + look < self._look_at - 0.001:
            self._look_at = now + look
            self._wakeup += 1
            self.wakeupAfter(timedelta(seconds=look), self._wakeup)

    def _current(self, id: str, incarnation: int) -> bool:
        child = self.state.children.get(id)
        return child is not None and child.incarnation == incarnation

    def _up(self, message: Up, sender: ActorAddress, now: float) -> None:
        if not self._current(message.id, message.incarnation):
            return
        self.state = decision.up(self.state, message.id, message.incarnation, now)
        self.processes.bind(message.id, sender)
        self.vitals.sees(message.id, message.owned)
        if self.directory.version and self.wants_directory(message.id):
            self.send(sender, self.directory)
        if (name := self.exported(message.id)) is not None:
            self.on_service(ServiceUp(name, sender))
        self.on_child_up(message.id, sender)
        self._do(clock.tick(self.state, now, self.policy), now)

    def on_service(self, message: ServiceUp) -> None:
        """A named actor (re)started somewhere below: the root, which overrides this, keeps the directory."""
        self.send(self.parent, message)

    def wants_directory(self, id: str) -> bool:
        """Whether a child addresses services."""
        return True

    def _spread(self, message: Directory) -> None:
        if message.version <= self.directory.version:
            return
        self.directory = message
        for id in self.state.children:
            if (address := self.processes.address(id)) is not None and self.wants_directory(id):
                self.send(address, message)

    def _describe(self, query: TreeQuery, now: float) -> TreeAnswer:
        total, dropped = self.tally.total, self._outbox.dropped
        return self.vitals.answer(query, self.id, self.state, self.processes, now, total, dropped)

    def _exited(self, address: ActorAddress, now: float) -> None:
        found = self.processes.exited(address)
        if found is None:
            return
        id, incarnation, exit_ = found
        asked = self.state.children[id].verdict if id in self.state.children else None
        if asked != "asked":
            log.warning("%s/%s ended: %s %s%s", self.id, id, exit_.how, exit_.value, f" ({asked})" if asked else "")
        self._do(decision.exited(self.state, id, incarnation, exit_, now, self.policy, self._rng), now)
        child = self.state.children.get(id)
        self.vitals.gone(id, None if child is None else child.last_exit)
        self._do(clock.tick(self.state, now, self.policy), now)

    def _do(self, result: Result, now: float) -> None:
        self.state, actions = result
        for action in actions:
            if isinstance(action, Start):
                self._fork(action, now)
            elif isinstance(action, AskToStop):
                if (address := self.processes.address(action.id)) is not None:
                    self.send(address, Stop())
            elif isinstance(action, Kill):
                log.warning("%s ends %s: %s", self.id, action.id, action.why)
                self.processes.kill(action.id)
            elif isinstance(action, Escalate):
                log.error("%s gives up: %s", self.id, action.why)
                os._exit(ESCALATE_EXIT)
            elif isinstance(action, Finished):
                os._exit(0)

    def _fork(self, action: Start, now: float) -> None:
        child = self.state.children[action.id]
        try:
            address = self.processes.fork(action.id, action.incarnation, self.actor_class(action.id))
        except OSError as error:  # no more processes or memory: counts like a crash, so a session is parked in the end
            log.error("%s/%s can't be started: %s", self.id, action.id, error)
            gone = Exit("not_started", None, time.time())
            outcome = decision.exited(self.state, action.id, action.incarnation, gone, now, self.policy, self._rng)
            self._do(outcome, now)
            return
        self._count(tally.started(self.tally, child))
        heartbeat = self.heartbeat()
        args = self.child_args(action.id)
        bearable_at = decision.bearable_at(self.state.recent, self.policy.intensity)
        init = Init(action.id, child.spec.kind, action.incarnation, heartbeat, args, bearable_at)
        self.send(address, init)
