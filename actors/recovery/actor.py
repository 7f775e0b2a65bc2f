"""The recovery actor: answers sessions that lost their connection, and keeps the ledger of episodes."""

import logging
import random
import time
from collections.abc import Mapping
from typing import Any

from thespian.actors import ActorAddress

from actors.events import EventType
from actors.messages import Hint, PlanAnswer, PlanRequest
from actors.recovery.ledger import Ledger
from actors.recovery.plans import Policy, plan
from actors.runtime.worker import Worker
from actors.session.causes import Cause, cause_named
from actors.settings import Settings
from actors.store import outbox
from actors.store.engine import open_writer
from actors.store.errors import StoreError
from actors.store.records import OutboxEvent, SessionState
from actors.store.shard_tails import ShardTails

log = logging.getLogger(__name__)


class RecoveryActor(Worker):
    """Sessions that get no answer plan for themselves, by the same rules."""

    async def on_init(self, args: Settings) -> None:
        self._settings = args
        self._policy = Policy(base_s=args.recovery.backoff.min, cap_s=args.recovery.backoff.max)
        self._rng = random.Random()
        self._database = await open_writer(args.database("recovery"))
        self._ledger = Ledger()
        async with self._database.begin() as conn:
            await self._ledger.load(conn)
            self._upto = await outbox.last_seq(conn)
        self._tails = ShardTails(args.database, self._states, self._event)
        self._opened: dict[str, float] = {}

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        """Requests for plans, and hints of the shards."""
        if isinstance(message, PlanRequest):
            await self._plan(message)
        elif isinstance(message, Hint):
            await self._tails.hinted(message.source, message.upto)
            await self._close_episodes()

    async def on_stop(self) -> None:
        """Closes the databases."""
        await self._tails.close()
        await self._database.close()

    async def _plan(self, request: PlanRequest) -> None:
        cause = cause_named(request.cause) or Cause.UNKNOWN
        now = time.time()
        decided = plan(cause, request.attempt, request.data, now, self._rng, self._policy)
        self.post(request.reply_to, PlanAnswer(request.ask, str(decided.action), decided.delay_s))
        await self._store(lambda conn: self._ledger.planned(conn, request, cause, decided, now))

    def _states(self, states: Mapping[str, SessionState]) -> None:
        for session, state in states.items():
            if state.state == "open":
                self._opened[session] = state.since

    def _event(self, event: OutboxEvent) -> None:
        if event.type != EventType.SESSION_STATE or event.session is None:
            return
        if event.data.get("state") == "open":
            self._opened[event.session] = event.at
        else:
            self._opened.pop(event.session, None)

    async def _close_episodes(self) -> None:
        healed = {session: at for session, at in self._opened.items() if self._ledger.is_open(session)}
        if healed:
            await self._store(lambda conn: self._ledger.healed(conn, healed))

    async def _store(self, operation: Any) -> None:
        try:
            async with self._database.begin() as conn:
                await operation(conn)
                upto = await outbox.last_seq(conn)
        except StoreError as error:
            log.error("the ledger could not be written: %s", error)
            return
        self._ledger.committed()
        if upto > self._upto:
            self._upto = upto
            self.tell("gateway", Hint("recovery", upto))
