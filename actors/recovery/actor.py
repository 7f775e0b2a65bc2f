"""The recovery actor: answers sessions that lost their connection, and keeps the ledger of episodes."""

import asyncio
import logging
import random
import time
from typing import Any

from thespian.actors import ActorAddress

from actors.messages import Hint, PlanAnswer, PlanRequest, ServiceSample
from actors.recovery.ledger import Ledger
from actors.recovery.plans import Policy, plan
from actors.runtime.worker import Worker
from actors.session.causes import Cause, cause_named
from actors.settings import Settings
from actors.store import outbox
from actors.store.engine import Database, open_reader, open_writer
from actors.store.errors import StoreError
from actors.store.shard_tails import shards_in

log = logging.getLogger(__name__)

PAGE = 500
"""Events accounted for in one transaction."""
LOOK_PERIOD = 5.0
"""Seconds between looks at all shards."""
PRUNE_PERIOD = 60.0
"""Seconds between prunings."""


class RecoveryActor(Worker):
    """Sessions that get no answer plan for themselves, by the same rules."""

    async def on_init(self, args: Settings) -> None:
        self._settings = args
        self._policy = Policy(base_s=args.recovery.backoff.min, cap_s=args.recovery.backoff.max)
        self._rng = random.Random()
        self._database = await open_writer(args.database("recovery"))
        self._ledger = Ledger(self._database)
        await self._ledger.load()
        self._shards: dict[str, Database] = {}
        self._turn = asyncio.Lock()
        self.spawn(self._look(), name="look at all shards")
        self.spawn(self._prune(), name="prune")
        self.spawn(self._database.keep_probing(), name="probe")

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        """Requests for plans, and hints of the shards."""
        if isinstance(message, PlanRequest):
            cause = cause_named(message.cause) or Cause.UNKNOWN
            decided = plan(cause, message.attempt, message.data, time.time(), self._rng, self._policy)
            self.post(message.reply_to, PlanAnswer(message.ask, str(decided.action), decided.delay_s))
        elif isinstance(message, Hint) and message.source.startswith("shard-"):
            async with self._turn:
                await self._account(message.source)

    def sample(self) -> ServiceSample:
        return ServiceSample(self._database.watch.report())

    async def _look(self) -> None:
        """A hint may be lost."""
        while True:
            for source in sorted(shards_in(self._settings.state_dir)):
                async with self._turn:
                    await self._account(source)
            await asyncio.sleep(LOOK_PERIOD)

    async def _prune(self) -> None:
        while True:
            before = time.time() - self._settings.events_keep
            try:
                await outbox.prune(self._database, before)
                await self._ledger.prune(before)
            except StoreError as error:
                self._database.watch.tell(log, "the ledger can't be pruned yet", error)
            await asyncio.sleep(PRUNE_PERIOD)

    async def on_stop(self) -> None:
        """Closes the databases."""
        for database in (*self._shards.values(), self._database):
            await database.close()

    async def _account(self, source: str) -> None:
        """Reads on in a shard's outbox; an error is repeated at the next look."""
        try:
            if source not in self._shards:
                self._shards[source] = await open_reader(self._settings.database(source))
            while True:
                cursor = await self._ledger.cursor(source)
                events = await self._shards[source].run(lambda conn, after=cursor: outbox.read_after(conn, after, PAGE))  # type: ignore[misc]
                if not events:
                    return
                upto = await self._ledger.account(source, events)
                self.tell("gateway", Hint("recovery", upto))
        except StoreError as error:
            self._database.watch.tell(log, f"the ledger of {source} is behind", error)
