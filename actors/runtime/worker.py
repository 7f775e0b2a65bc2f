"""A child of a supervisor: initialisation, heartbeats, orderly stop."""

import asyncio
import contextlib
import logging
import math
import os
import random
import time
from typing import Any

from thespian.actors import ActorAddress, ChildActorExited, DeadEnvelope, PoisonMessage

from actors.messages.supervision import Directory, Heartbeat, Init, LogLevel, OwnedProcess, Stop, Up
from actors.runtime import logs
from actors.runtime.loop_actor import LoopActor
from actors.runtime.memory import MemoryProbe
from actors.runtime.process import set_name
from actors.store.errors import StoreError

log = logging.getLogger(__name__)

EARLIEST = 0.5
"""How much of its period a heartbeat may go before it is due."""
LAST_WORDS_PATIENCE = 0.2
"""Seconds; a supervisor that takes no message for longer learns less."""
LONGEST_LINGER = 60.0
"""Seconds that an actor stays that can do nothing more, so that its end is not one too many for its supervisor."""
BEARABLE_MARGIN = 0.1


class Worker(LoopActor):
    """Override ``on_init``, ``on_message``, ``on_directory``, ``on_stop`` and ``sample``."""

    STOP_PATIENCE = 4.0
    """Seconds that ``on_stop`` may take."""

    def __init__(self) -> None:
        super().__init__()
        self.id = ""
        self.incarnation = 0
        self.bearable_at = 0.0
        """CLOCK_MONOTONIC: who can choose when to fail waits for that time, else its supervisor has to give up."""
        self.supervisor: ActorAddress | None = None
        self.directory = Directory(version=0)
        self._memory = MemoryProbe()
        self._stopping = False
        self._ready = asyncio.Event()
        self._beat_now = asyncio.Event()
        self._beat_due = math.inf
        self._beat_period = 0.0

    async def on_init(self, args: Any) -> None:
        """Gets ready for work; the supervisor is told when it returns."""

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        """Handles a message that is not the supervisor's."""

    async def on_directory(self, directory: Directory) -> None:
        """The addresses of named actors changed."""

    async def on_stop(self) -> None:
        """Finishes what is in hand."""

    def sample(self) -> Any:
        """What travels with the next heartbeat."""
        return None

    def owned(self) -> OwnedProcess | None:
        """A process that is no actor and ends with this one."""
        return None

    def tell(self, name: str, message: Any) -> bool:
        """Posts to a named actor; False if nobody has that name now."""
        address = self.directory.addresses.get(name)
        if address is None:
            return False
        self.post(address, message)
        return True

    async def handle(self, message: Any, sender: ActorAddress) -> None:
        """Sorts the supervisor's messages from the others, which wait, in order, until ``on_init`` is done."""
        if isinstance(message, Init):
            await self._init(message, sender)
            return
        if isinstance(message, Stop):
            await self._stop()
            return
        await self._ready.wait()
        if isinstance(message, Directory):
            if message.version > self.directory.version:
                self.directory = message
                await self.on_directory(message)
        elif isinstance(message, LogLevel):
            logs.set_level(message.level)
        elif isinstance(message, PoisonMessage | DeadEnvelope):
            log.warning("%s: a message could not be handled by its receiver", self.id)
        elif not isinstance(message, ChildActorExited):
            await self.on_message(message, sender)

    async def _init(self, message: Init, sender: ActorAddress) -> None:
        self.id, self.incarnation, self.supervisor = message.id, message.incarnation, sender
        self.bearable_at = message.bearable_at
        set_name(f"wv:{message.id}")
        logs.identify(message.id, message.id if message.kind == "session" else None)
        try:
            await self.on_init(message.args)
        except StoreError:
            # a file that is missing or damaged stays so for a while, and ends neither the siblings nor the supervisor
            await self.linger()
            raise
        self._ready.set()
        self.post(sender, Up(self.id, self.incarnation, os.getpid(), self.owned()))
        self.spawn(self._beat(message.heartbeat), name="heartbeat")

    async def _beat(self, period: float) -> None:
        wait = random.uniform(0, period)
        while True:
            self._beat_due, self._beat_period = time.monotonic() + wait, period
            self._beat_now.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._beat_now.wait()
            self._post_beat(max(0.0, time.monotonic() - self._beat_due))
            wait = period

    def awake(self) -> None:
        """This process was woken by something regular: a heartbeat that is due soon goes along and saves a waking.

        A process of many that has slept for seconds finds its memory out of the processor's caches: to wake costs more
        than what it then does.
        """
        if self._beat_due - time.monotonic() < self._beat_period * EARLIEST:
            self._beat_now.set()

    def _post_beat(self, lag: float) -> None:
        now = time.monotonic()
        age, dropped, pss = self.mailbox_age() + lag, self._outbox.dropped, self._memory.look(now)
        self.post(self.supervisor, Heartbeat(self.id, self.incarnation, self.sample(), now, age, dropped, pss))

    def tell_owned(self) -> None:
        """Sends a heartbeat out of turn: the process that this one owns has changed."""
        self._post_beat(0.0)

    async def linger(self) -> None:
        """Waits until this actor's end is bearable: its supervisor has not to give up for it."""
        await asyncio.sleep(min(LONGEST_LINGER, max(0.0, self.bearable_at + BEARABLE_MARGIN - time.monotonic())))

    async def last_words(self) -> None:
        """Sends a heartbeat out of turn and waits until it is received, or nearly: this process is about to end."""
        self._post_beat(0.0)
        end = time.monotonic() + LAST_WORDS_PATIENCE
        while time.monotonic() < end:
            await asyncio.sleep(0.002)  # the outbox is emptied between turns of the loop
            if not self._outbox.busy(self.supervisor):
                return

    async def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        if not self._ready.is_set():
            os._exit(0)  # half initialised: there is nothing in hand, and on_stop could not rely on anything
        try:
            async with asyncio.timeout(self.STOP_PATIENCE):
                await self.on_stop()
        except TimeoutError:
            log.warning("%s did not finish within %g s and ends anyway", self.id, self.STOP_PATIENCE)
        os._exit(0)
