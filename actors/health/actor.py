"""The health actor: reads transitions and samples, scores every session, tells main what changed."""

import asyncio
import logging
import time
from typing import Any

from thespian.actors import ActorAddress

from actors.events import EventType
from actors.health.book import Book
from actors.health.history.keeper import HistoryKeeper
from actors.health.owed import Owed
from actors.health.proof import Patience
from actors.health.quality import bands
from actors.health.score import Ageing
from actors.health.view import Scoring
from actors.health.watch import Watch
from actors.health.weights import Weights
from actors.messages.services import CanaryAnswer, HealthDelta, Hint, ShardReport
from actors.messages.supervision import ServiceSample
from actors.runtime.worker import Worker
from actors.settings import Settings, shard_name
from actors.store import health_queries, outbox
from actors.store.direct import Statements
from actors.store.engine import open_writer
from actors.store.errors import StoreError
from actors.store.shard_tails import ShardTails

log = logging.getLogger(__name__)

LOOK_PERIOD = 10.0
"""Seconds between looks at everybody: evidence grows old without any news."""
UPKEEP_PERIOD = 60.0
"""Seconds between prunings."""


class HealthActor(Worker):
    """Without it sessions go on; their scores stay as they were, with the time of the last look."""

    async def on_init(self, args: Settings) -> None:
        health = args.health
        weights = health.weights
        scoring = Scoring(
            Weights(
                float(weights.connection),
                float(weights.latency),
                float(weights.acknowledgements),
                float(weights.errors),
                float(weights.stability),
                float(weights.platform),
            ),
            Ageing.after(health.stale_after),
        )
        quality = health.quality
        beats = max(args.connectors.of(name).heartbeat for name in ("baileys", "simulator", "external"))
        patience = Patience.after(beats, args.supervision.heartbeat)
        self._database = await open_writer(args.database("health"))
        self._watch = await Watch.open(self._database, health, self.tell)
        borders = bands(quality.excellent, quality.good, quality.poor)
        self._book = Book(scoring, borders, health.hysteresis, patience, self._watch.listening)
        async with self._database.begin() as conn:
            stored = await health_queries.load_scores(conn)
        self._book.restore({session: score.data for session, score in stored.items()})
        self._tails = ShardTails(
            args.database,
            lambda states: self._book.states(states, time.time()),
            lambda event: self._book.event(event, time.time()),
            {shard_name(shard): upto for shard, upto in self._watch.listening.canaries.unread().items()},
        )
        self._owed = Owed()
        self._turn = asyncio.Lock()
        self._keep = args.events_keep
        self._history = HistoryKeeper(self._database, self._book.history, health.history)
        self.spawn(self._look(), name="look at everybody")
        self.spawn(self._upkeep(), name="upkeep")
        self.spawn(self._history.run(), name="history")
        self.spawn(self._watch.run_canaries(self._book, self._tails), name="canaries")
        self.spawn(self._watch.run_answers(), name="answers to canaries")
        self.spawn(self._watch.run_rhythms(), name="rhythms")
        self.spawn(self._database.keep_probing(), name="probe")

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        """Hints of the shards' outboxes, and their reports."""
        if isinstance(message, Hint):
            await self._tails.hinted(message.source, message.upto)
            await self._publish(everybody=False)
        elif isinstance(message, ShardReport):
            self._book.report(message.shard, message.samples, message.parked, time.time())
            await self._publish(everybody=False)
        elif isinstance(message, CanaryAnswer):
            self._watch.answered(message)

    def sample(self) -> ServiceSample:
        return ServiceSample(self._database.watch.report(), history=self._history.stats())

    async def on_stop(self) -> None:
        """Writes the history down to the end, and closes the databases."""
        await self._history.finish()
        await self._watch.store()
        await self._tails.close()
        await self._database.close()

    async def _look(self) -> None:
        await self._tails.look()
        await self._publish(everybody=True)
        await self._history.recall(self._book.remember)
        while True:
            await self._tails.look()
            await self._publish(everybody=True)
            await asyncio.sleep(LOOK_PERIOD)

    async def _upkeep(self) -> None:
        """Forgets the scores of sessions that are no more, and events that were kept long enough."""
        while True:
            await asyncio.sleep(UPKEEP_PERIOD)  # by then every shard was looked at
            try:
                async with self._database.begin() as conn:
                    for session in (await health_queries.load_scores(conn)).keys() - self._book.sessions():
                        await health_queries.forget_score(conn, session)
                    if self._tails.whole:  # of a shard that can't be read yet nobody is known
                        await self._watch.forget(conn, self._book.expected())
                for session in self._book.strangers():
                    self._book.forget(session, kept=not self._tails.whole or session in self._book.expected())
                await outbox.prune(self._database, time.time() - self._keep)
                await self._history.remove_strangers(self._book.sessions(), whole=self._tails.whole)
            except StoreError as error:
                self._database.watch.tell(log, "the database can't be pruned yet", error)

    async def _publish(self, *, everybody: bool) -> None:
        async with self._turn:
            views = self._book.changed(time.time(), everybody=everybody)
            turns = self._book.turns()
            if not views and not turns and not self._owed:
                return
            # shown at once, stored right after: the API must not wait for a disk to learn of an outage
            if views:
                self.tell("gateway", HealthDelta(views))
            self._owed.take(views, turns)
            try:
                await self._store()
            except StoreError as error:
                self._database.watch.tell(log, "scores could not be stored, trying again", error)

    async def _store(self) -> None:
        scores, events = self._owed.scores(), self._owed.events()

        async def store(conn: Statements) -> int:
            await health_queries.store_scores(conn, scores)
            await outbox.append(conn, events)
            return await outbox.last_seq(conn)

        upto = await self._database.run(store)
        self._owed.clear()
        if events:
            self.tell("gateway", Hint("health", upto))
        if any(event.type in {EventType.HEALTH_LIVENESS, EventType.HEALTH_PROOF} for event in events):
            self.tell("recovery", Hint("health", upto))  # the others are no news to it
