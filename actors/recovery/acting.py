"""Carrying out what is decided: every order is stored, then given, and given again by who finds it without a trace."""

import logging
import time
from collections.abc import Callable, Collection, Mapping

from actors.messages.services import Command
from actors.recovery import timing
from actors.recovery.decide import Rule
from actors.recovery.follow import is_behind
from actors.recovery.ledger import Ledger
from actors.recovery.orders import Orders
from actors.recovery.pauses import in_force
from actors.recovery.strategies import Strategy
from actors.session.causes import Cause
from actors.store.errors import StoreError
from actors.store.watch import StoreWatch

log = logging.getLogger(__name__)

FORCEABLE = tuple(map(str, (Strategy.RECONNECT, Strategy.RESTART, Strategy.FAILOVER)))
"""What an operator may order."""


class Acting:
    """``told`` hears where the ledger's outbox ends.  One call at a time: they change the ledger's book.

    ``clock`` is seconds since 1970, ``steady`` a clock that can't be set, and stands still while the machine sleeps.
    """

    def __init__(
        self,
        ledger: Ledger,
        orders: Orders,
        watch: StoreWatch,
        told: Callable[[int | None], None],
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._orders = orders
        self._watch = watch
        self._told = told
        self._clock = clock
        self._steady = steady
        self._leaps = timing.Leaps(clock(), steady())
        self._unsure = dict(ledger.pending)
        """What an earlier actor stored: whether it gave that, too, nobody knows."""
        for session in self._unsure:
            timing.asked(ledger.book, session, clock())

    def now(self) -> float:
        """The time, before news is read and before acting: if the clock has leapt, what is waited for goes with it."""
        now = self._clock()
        if leap := self._leaps.since(now, self._steady()):
            log.warning("the clock has leapt by %.0f s, or the machine has slept", leap)
            timing.leapt(self._ledger.book, leap)
        return now

    async def act(self, behind: Collection[str], paused_by: Mapping[str, Mapping[str, float]]) -> None:
        """Decides about every open episode but those of shards that are ``behind``; what is ordered is stored first.

        ``paused_by``: shard -> its sessions for which recovery is paused, and until when.  Raises StoreError.
        """
        now, known_now = self.now(), self._ledger.book.known
        timing.not_after(self._ledger.book, now)
        paused = in_force(paused_by, {id: known.shard for id, known in known_now.items()})
        self._give_again(behind, paused, now)
        survey = self._ledger.book.survey(now, paused)
        for session in list(self._ledger.book.cases):
            if is_behind(known_now.get(session), behind):
                continue
            decision = self._ledger.book.decide(session, survey, now, paused.get(session))
            if decision.act:
                self._unsure.pop(session, None)
                self._told(await self._ledger.order(session, decision, now))
                if self._ledger.book.cases[session].episode.pending_at == now:
                    await self._give(session, decision.strategy, str(decision.facts.get("cause")), now)
                survey = self._ledger.book.survey(now, paused)
                log.info("%s: %s, %s", session, decision.strategy, decision.because)
            elif decision.rule is Rule.FORCED:
                await self._ledger.refuse(session, now)
            elif decision.rule in {Rule.BUDGET, Rule.HELD}:
                self._told(await self._ledger.escalate(session, decision, now))

    async def _give(
        self, session: str, strategy: Strategy, cause: str, now: float, asked: Command | None = None
    ) -> bool:
        """Gives what is stored; False if there was nobody to give it to."""
        known = self._ledger.book.known.get(session)
        if known is None or not self._orders.give(session, known.shard, strategy, cause, asked):
            await self._ledger.refuse(session, now)
            return False
        if (given := self._clock()) - now >= timing.LEAST:  # the disk took its time, or this process was stopped
            timing.asked(self._ledger.book, session, given)
        return True

    def _give_again(self, behind: Collection[str], paused: Mapping[str, float], now: float) -> None:
        """What an earlier actor has stored, and of which all that is told since shows no trace: given once more.

        Who had it already is doing it, and says so; as long as its host is not known, it waits.
        """
        for session, action in list(self._unsure.items()):
            case, known = self._ledger.book.cases.get(session), self._ledger.book.known.get(session)
            if case is None or case.episode.pending_at is None:
                del self._unsure[session]
            elif known is None or is_behind(known, behind) or session in paused:
                continue
            elif self._orders.repeat(known.shard, action):
                del self._unsure[session]
                timing.asked(self._ledger.book, session, now)
                log.info(
                    "%s: %s was ordered before this actor was started, and is ordered again", session, action.strategy
                )

    async def force(self, message: Command) -> tuple[str, str] | None:
        """What an operator orders is stored with its name, then given to the host; returns why not, or None."""
        session, strategy, now = message.session, message.args.get("strategy"), self.now()
        if message.name != "force" or strategy not in FORCEABLE:
            return "invalid", f"the strategy is one of {', '.join(FORCEABLE)}"
        if self._ledger.book.known.get(session) is None:
            return "unavailable", "recovery knows nothing of that session yet"
        self._unsure.pop(session, None)
        try:
            self._told(await self._ledger.force(session, Strategy(strategy), str(message.args["who"]), now))
            if not await self._give(session, Strategy(strategy), str(Cause.OPERATOR_RECONNECT), now, message):
                return "unavailable", "the connector host of that session is starting"
        except StoreError as error:
            self._watch.tell(log, "an order can't be stored", error)
            return "unavailable", "the order could not be stored"
        return None

    async def refused(self, session: str) -> None:
        """Whoever should have carried out the order for that session could not."""
        try:
            await self._ledger.refuse(session, self.now())
        except StoreError as error:
            self._watch.tell(log, "a refusal can't be stored", error)
