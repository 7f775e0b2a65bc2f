"""The recovery actor: answers sessions that lost their connection, keeps the ledger of episodes, and acts on it."""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from typing import Any

from thespian.actors import ActorAddress

from actors.messages.services import Command, CommandResult, Hint, ShardPauses
from actors.messages.sessions import PlanAnswer, PlanRequest
from actors.messages.supervision import ServiceSample
from actors.recovery.acting import Acting
from actors.recovery.book import Book
from actors.recovery.calm import Calm
from actors.recovery.follow import HEALTH, Follower
from actors.recovery.learning import doublings
from actors.recovery.ledger import Ledger
from actors.recovery.orders import Orders
from actors.recovery.outages import Outages
from actors.recovery.plans import plan
from actors.recovery.pruning import Pruning
from actors.recovery.tuning import budgets, policy
from actors.runtime.worker import Worker
from actors.session.causes import Cause, cause_named
from actors.settings import Settings
from actors.store.engine import open_writer
from actors.store.errors import StoreError

log = logging.getLogger(__name__)

LOOK_PERIOD = 5.0
"""Seconds between looks at all shards, and at all open episodes."""
PRUNE_PERIOD = 60.0
"""Seconds between prunings."""
LEARN_PERIOD = 600.0
"""Seconds between readings of what has helped."""
NEWS_PAUSE = 1.0
"""Seconds between two readings of health's news: before each all shards are read, since they tell what came before."""


class RecoveryActor(Worker):
    """Sessions that get no answer plan for themselves, by the same rules."""

    async def on_init(self, args: Settings) -> None:
        self._settings = args
        self._policy = policy(args.recovery)
        self._rng = random.Random()
        self._database = await open_writer(args.database("recovery"))
        self._ledger = Ledger(self._database, Book(budgets(args.recovery)))
        await self._ledger.load(time.time())
        self._follower = Follower(args, self._ledger, self._database.watch)
        self._outages = Outages(args.runtime_dir)
        self._orders = Orders(self.tell, self.post, self.myAddress)
        self._acting = Acting(self._ledger, self._orders, self._database.watch, self._told)
        self._turn = asyncio.Lock()
        self._paused: dict[str, Mapping[str, float]] = {}
        """shard -> its sessions for which recovery is paused."""
        self._calm = Calm()
        self._hinted: set[str] = set()
        """Shards that told of something which is not read yet."""
        self._hints = asyncio.Event()
        self._news = asyncio.Event()
        self.spawn(self._look(), name="look at all shards")
        self.spawn(self._follow(), name="news of shards")
        self.spawn(self._hear(), name="news of health")
        self.spawn(self._prune(), name="prune")
        self.spawn(self._learn(), name="learn")
        self.spawn(self._database.keep_probing(), name="probe")

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        """Requests for plans, hints of shards and of health, answers to orders."""
        if isinstance(message, PlanRequest):
            self._plan(message)
        elif isinstance(message, Hint) and message.source.startswith("shard-"):
            self._hinted.add(message.source)
            self._hints.set()
        elif isinstance(message, Hint) and message.source == "health":
            self._news.set()
        elif isinstance(message, CommandResult) and (session := self._orders.answered(message)) is not None:
            async with self._turn:
                await self._acting.refused(session)
        elif isinstance(message, ShardPauses):
            self._paused[message.source] = message.until
        elif isinstance(message, Command):
            async with self._turn:
                error = await self._acting.force(message)
            if error is not None:
                self.post(message.reply_to, CommandResult(message.correlation, error=error))

    def _plan(self, message: PlanRequest) -> None:
        self._calm.asked()
        cause = cause_named(message.cause) or Cause.UNKNOWN
        attempt = message.attempt + doublings(self._ledger.book.learnt, cause)
        decided = plan(cause, attempt, message.data, time.time(), self._rng, self._policy)
        self.post(message.reply_to, PlanAnswer(message.ask, str(decided.action), decided.delay_s))

    def sample(self) -> ServiceSample:
        return ServiceSample(self._database.watch.report())

    async def _look(self) -> None:
        """A hint may be lost, and patience ends without one."""
        while True:
            await self._read_and_act()
            await self._look_for_outages()
            await asyncio.sleep(LOOK_PERIOD)

    async def _look_for_outages(self) -> None:
        try:
            self._told(await self._outages.look(self._database, time.time()))
        except StoreError as error:
            self._database.watch.tell(log, "an outage can't be told yet", error)

    async def _follow(self) -> None:
        while True:
            await self._hints.wait()
            self._hints.clear()
            await self._calm.wait()
            hinted, self._hinted = self._hinted, set()
            for source in sorted(hinted):
                async with self._turn:
                    self._acting.now()
                    self._told(await self._follower.read(source))

    async def _hear(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await self._read_and_act()
            await asyncio.sleep(NEWS_PAUSE)

    async def _read_and_act(self) -> None:
        await self._calm.wait()
        async with self._turn:
            self._acting.now()
            whole = await self._follower.read_all()
            self._told(whole.upto)
            if HEALTH not in whole.behind:  # nothing is done on half of the news
                try:
                    await self._acting.act(whole.behind, self._paused)
                except StoreError as error:
                    self._database.watch.tell(log, "nothing can be ordered, since it can't be stored", error)

    def _told(self, upto: int | None) -> None:
        if upto is not None:
            self.tell("gateway", Hint("recovery", upto))

    async def _prune(self) -> None:
        pruning = Pruning(self._database, self._ledger)
        while True:
            try:
                await pruning.turn(self._settings.recovery.keep, self._settings.events_keep)
            except StoreError as error:
                self._database.watch.tell(log, "the ledger can't be pruned yet", error)
            await asyncio.sleep(PRUNE_PERIOD)

    async def _learn(self) -> None:
        while True:
            await asyncio.sleep(LEARN_PERIOD)
            try:
                async with self._turn:
                    await self._ledger.learn(time.time())
            except StoreError as error:
                self._database.watch.tell(log, "what has helped can't be read", error)

    async def on_stop(self) -> None:
        """Closes the databases."""
        await self._follower.close()
        await self._database.close()
