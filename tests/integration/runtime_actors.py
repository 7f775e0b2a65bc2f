"""Small actors that show what the runtime promises.  What happens to them they write into one file, line by line."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import thespian.system.multiprocCommon as multiproc
from thespian.actors import Actor, ActorAddress, ChildActorExited, ThespianWatch, WakeupMessage
from thespian.system.transport import TransmitIntent

from actors.messages.supervision import Directory, Init, Ping, Pong, ServiceUp, Up
from actors.runtime.process import settle_actor
from actors.runtime.worker import Worker
from actors.supervision import decision
from actors.supervision.actor import Supervisor
from actors.supervision.spec import Backoff, ChildSpec, Intensity, Policy
from actors.supervision.state import Exit

COUNT = 1000
TROUPE = 30
HEARTBEAT = 0.05
HEARTBEAT_TIMEOUT = 0.5
AS_IT_IS = multiproc.MultiProcReplicator._childExited
"""Thespian's own, from before `thespian_fixes` replaces it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the tree is started with."""

    directory: Path
    children: tuple[str, ...] = ()
    shutdown_timeout: float = 8.0

    def note(self, *words: object) -> None:
        """One line, written at once: nothing of it is lost when the process is killed."""
        fd = os.open(self.directory / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(fd, (" ".join(map(str, words)) + "\n").encode())
        os.close(fd)


class Stage(Supervisor):
    """A root that keeps the directory and supervises the actors of a scene."""

    def configure(self, args: Scene) -> None:
        intensity = Intensity(3, 0.5) if "unopened" in args.children else Intensity(50, 10.0)
        self.policy = Policy(intensity=intensity, backoff=Backoff(0.01, 0.1, 30.0), tick=0.05, pace=0.001)
        self._names: dict[str, ActorAddress] = {}
        patience = {"deaf": 60.0, "troupe": 3.0}  # seconds; the first is to hang, not to be ended
        specs = [
            (ChildSpec(id, "service", heartbeat_timeout=patience.get(id, HEARTBEAT_TIMEOUT)), args)
            for id in args.children
        ]
        self.state = decision.add(self.state, specs, time.monotonic())

    def actor_class(self, id: str) -> type[Actor]:
        return ACTORS[id.partition("-")[0]]

    def heartbeat(self) -> float:
        return HEARTBEAT

    def exported(self, id: str) -> str | None:
        return id

    def on_service(self, message: ServiceUp) -> None:
        self._names[message.name] = message.address
        self._spread(Directory(self.directory.version + 1, dict(self._names)))

    def on_child_up(self, id: str, address: ActorAddress) -> None:
        self.args.note("up", id, self.state.children[id].incarnation, self.processes.pid(id))

    def on_sample(self, id: str, sample: Any) -> None:
        self.args.note("beat", id, sample, self.vitals.beats[id].mailbox_age)

    def _exited(self, address: ActorAddress, now: float) -> None:
        before: dict[str, Exit | None] = {id: child.last_exit for id, child in self.state.children.items()}
        super()._exited(address, now)
        for id, child in self.state.children.items():
            if child.last_exit is not None and child.last_exit is not before.get(id):
                self.args.note("ended", id, child.last_exit.how, child.last_exit.value)


class Troupe(Supervisor):
    """Nearly as many children as a shard has; it talks to all of them at each look at the clock."""

    def configure(self, args: Scene) -> None:
        self.policy = Policy(intensity=Intensity(200, 10.0), backoff=Backoff(0.01, 0.1, 30.0), tick=0.25, pace=0.001)
        specs = [
            (ChildSpec(f"extra-{n}", "session", wait_ready=False, heartbeat_timeout=2.0), args) for n in range(TROUPE)
        ]
        self.state = decision.add(self.state, specs, time.monotonic())

    def actor_class(self, id: str) -> type[Actor]:
        return Player

    def heartbeat(self) -> float:
        return 0.5

    def on_child_up(self, id: str, address: ActorAddress) -> None:
        self.args.note("up", id, self.processes.pid(id))

    def on_tick(self, now: float) -> None:
        for id in self.state.children:
            if (address := self.processes.address(id)) is not None:
                self.send(address, "your cue")

    def _exited(self, address: ActorAddress, now: float) -> None:
        super()._exited(address, now)
        for id, child in self.state.children.items():
            if child.last_exit is not None and child.since == now:
                self.args.note("ended", id, child.last_exit.how)


class Player(Worker):
    """What they have in common."""

    async def on_init(self, args: Scene) -> None:
        self.scene = args

    async def on_stop(self) -> None:
        self.scene.note("stop", self.id)


class Clock(Player):
    """Sleeps side by side and tells how long it was."""

    async def on_init(self, args: Scene) -> None:
        await super().on_init(args)
        for delay in (0.3, 0.01, 0.1, 0.02, 0.1):
            self.spawn(self._sleep(delay))

    async def _sleep(self, delay: float) -> None:
        began = time.monotonic()
        await asyncio.sleep(delay)
        self.scene.note("slept", delay, time.monotonic() - began)


class Roused(Player):
    """Is woken all the time, and says so; notes when its heartbeats leave."""

    async def on_init(self, args: Scene) -> None:
        await super().on_init(args)
        self.spawn(self._rouse())

    async def _rouse(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            self.awake()

    def sample(self) -> None:
        self.scene.note("beat", self.id, time.monotonic())


class Echo(Player):
    """Sends back what it gets."""

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        self.post(sender, message)


class Busy(Echo):
    """Its loop never comes to rest."""

    async def on_init(self, args: Scene) -> None:
        await super().on_init(args)
        self._turns = 0
        self.spawn(self._spin())

    async def _spin(self) -> None:
        while True:
            self._turns += 1
            await asyncio.sleep(0)

    def sample(self) -> Any:
        return self._turns


class Caller(Player):
    """Sends numbers to whoever it finds, and tells when all of them are back, in order."""

    async def on_directory(self, directory: Directory) -> None:
        for name, address in directory.addresses.items():
            if name in {"echo", "busy"} and not hasattr(self, "_back"):
                self._back: list[int] = []
                for number in range(COUNT if name == "echo" else 5):
                    self.post(address, number)

    async def on_message(self, message: int, sender: ActorAddress) -> None:
        self._back.append(message)
        if len(self._back) in {5, COUNT}:
            self.scene.note("back", len(self._back), self._back == list(range(len(self._back))))


class Deaf(Player):
    """Hangs as soon as somebody talks to it."""

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        self.scene.note("deaf", "now")
        os.kill(os.getpid(), signal.SIGSTOP)


class Slow(Player):
    """Does not finish with what it is told."""

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        await asyncio.Event().wait()

    def sample(self) -> Any:
        return "slow"


class Talker(Player):
    """Talks more to a deaf one than Thespian can hold, then has an echo answer."""

    async def on_directory(self, directory: Directory) -> None:
        addresses = directory.addresses
        if {"deaf", "echo"} <= addresses.keys() and not hasattr(self, "_talked"):
            self._talked = True
            for number in range(1200):
                self.post(addresses["deaf"], number)
            self.post(addresses["echo"], "hello")
            self.scene.note("talked")

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        self.scene.note("answered", message == "hello")

    def sample(self) -> Any:
        return len(self._outbox)


class Stranded(Player):
    """Has a message to an echo that waits for a connection which nobody uses, as a race inside Thespian leaves it."""

    async def on_directory(self, directory: Directory) -> None:
        echo = directory.addresses.get("echo")
        if echo is not None and not hasattr(self, "_sent"):
            self._sent = TransmitIntent(echo, "hello")
            transport = self._myRef.transport
            self._sent.serMsg = transport.serializer(self._sent)
            self._sent.stage = transport._XMITStepSendConnect
            self._sent.awaitingTXSlot()
            transport._waitingTransmits.append(self._sent)

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        self.scene.note("answered", message == "hello")


class Poker(Player):
    """Tells the first raiser or slow one one thing."""

    async def on_directory(self, directory: Directory) -> None:
        raiser = directory.addresses.get("raiser") or directory.addresses.get("slow")
        if raiser is not None and not hasattr(self, "_poked"):
            self._poked = True
            self.post(raiser, "fail")


class Raiser(Player):
    """Fails at what it is told."""

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        self.scene.note("handles", message, os.getpid())
        raise RuntimeError("this one can't be handled")


class Hasty(Player):
    """Takes its time to start, and is not ready for anything before."""

    async def on_init(self, args: Scene) -> None:
        await super().on_init(args)
        await asyncio.sleep(0.2)
        self._name = self.id

    async def on_directory(self, directory: Directory) -> None:
        self.scene.note("directory for", self._name)


class Unopened(Player):
    """Can't open its database as long as there is none."""

    async def on_init(self, args: Scene) -> None:
        from actors.store.engine import open_reader  # noqa: PLC0415 - in this fork alone

        await super().on_init(args)
        args.note("opens", self.id)
        async with await open_reader(args.directory / "its.db"):
            pass


class Stillborn(Actor):
    """Its first process ends before it has an address."""

    def __init__(self) -> None:
        settle_actor()
        mark = Path(os.environ["RUNTIME_SCENE"]) / "stillborn"
        if not mark.exists():
            mark.touch()
            os._exit(9)
        super().__init__()

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:  # noqa: N802
        if isinstance(message, Init):
            self.send(sender, Up(message.id, message.incarnation, os.getpid()))


class Mortal(Actor):
    """Says who it is."""

    def __init__(self) -> None:
        settle_actor()
        super().__init__()

    def receiveMessage(self, message: Any, sender: ActorAddress) -> ThespianWatch:  # noqa: N802
        self.send(sender, ("pid", os.getpid()))
        return ThespianWatch([])


class Bereaved(Actor):
    """Loses a child while the death of another is being handled, then a third; tells of whom it heard."""

    plain = False
    """Whether Thespian is left as it is."""

    def __init__(self) -> None:
        settle_actor()
        super().__init__()
        self._pids: dict[int, ActorAddress] = {}
        self._order: list[int] = []
        self._killed = False
        kept: Callable[..., None] = AS_IT_IS if self.plain else multiproc.MultiProcReplicator._childExited

        def child_exited(manager: Any, child: Any) -> None:
            if len(self._order) == 3 and not self._killed:
                self._killed = True
                self._kill(self._order[1])
            kept(manager, child)

        multiproc.MultiProcReplicator._childExited = child_exited

    @staticmethod
    def _kill(pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:  # noqa: N802
        if isinstance(message, Init):
            self._scene: Scene = message.args
            self.send(sender, Up(message.id, message.incarnation, os.getpid()))
            for _ in range(3):
                self.send(self.createActor(Mortal), "who are you?")
        elif isinstance(message, Ping):
            self.send(sender, Pong())
        elif isinstance(message, tuple):
            self._pids[message[1]] = sender
            if len(self._pids) == 3:
                self._order = list(self._pids)
                self._kill(self._order[0])
        elif isinstance(message, ChildActorExited):
            who = next(i for i, pid in enumerate(self._order) if self._pids[pid] == message.childAddress)
            self._scene.note("lost", who)
            if who == 0:
                self.wakeupAfter(timedelta(seconds=0.1))
        elif isinstance(message, WakeupMessage):
            self._kill(self._order[2])


class BereavedByPlainThespian(Bereaved):
    """The same without the fix."""

    plain = True


ACTORS: dict[str, type[Actor]] = {
    "clock": Clock,
    "echo": Echo,
    "busy": Busy,
    "roused": Roused,
    "caller": Caller,
    "poker": Poker,
    "stranded": Stranded,
    "raiser": Raiser,
    "hasty": Hasty,
    "deaf": Deaf,
    "slow": Slow,
    "talker": Talker,
    "stillborn": Stillborn,
    "unopened": Unopened,
    "player": Player,
    "troupe": Troupe,
}
ROOTS: dict[str, type[Actor]] = {"stage": Stage, "bereaved": Bereaved, "plain": BereavedByPlainThespian}
