"""Canaries and rhythms on their way: to the hosts, to the database and back."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

from actors.connectors import canary_id
from actors.health.book import Book
from actors.health.canaries import Canaries
from actors.health.canary import DAY_S, Policy
from actors.health.canary_memory import Memory
from actors.health.listening import Listening
from actors.health.rhythm import Rhythm
from actors.messages.services import CanaryAnswer, SendCanary
from actors.settings import host_name, shard_name
from actors.store import listening_queries
from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.errors import StoreError
from actors.store.shard_tails import ShardTails
from config.schema_actors import Health

log = logging.getLogger(__name__)

LOOK_PERIOD, LOOKS = 5.0, 100
"""Seconds between looks for canaries that are due or over, and how many there are in an interval at least."""
FIRST_STORE, STORE_PERIOD = 60.0, 900.0
"""Seconds from the start to the first storing of the rhythms, and between two: what was learned since is lost with the
process, and who is killed again and again is to learn, too."""
COMPARE_PERIOD = 3600.0
"""Seconds between two computations of the fleet's rhythm."""
CANARIES_KEPT = 7 * DAY_S
D = TypeVar("D")
T = TypeVar("T")


def policy_of(health: Health) -> Policy:
    """The operator's, from the configuration."""
    canary = health.canary
    return Policy(canary.enabled, canary.interval, canary.timeout, canary.daily_budget, frozenset(canary.sessions))


class Watch:
    """``tell(name, message)`` posts to a named actor, and says whether there is one."""

    def __init__(
        self, database: Database, listening: Listening, policy: Policy, text: str, tell: Callable[[str, Any], bool]
    ) -> None:
        self._database = database
        self.listening = listening
        self._policy = policy
        self._text = text
        self._tell = tell
        self._answered = asyncio.Event()
        self._storing = asyncio.Lock()

    @classmethod
    async def open(cls, database: Database, health: Health, tell: Callable[[str, Any], bool]) -> Self:
        """Loads what an earlier actor stored."""
        policy = policy_of(health)

        async def load(conn: Statements) -> Any:
            key = await listening_queries.canary_key(conn)
            if key is None and policy.enabled:
                key = await listening_queries.keep_canary_key(conn, secrets.token_bytes(canary_id.KEY_BYTES))
            canaries = await listening_queries.load_canaries(conn, time.time() - DAY_S)
            memories = await listening_queries.load_memories(conn)
            return key or b"", await listening_queries.load_rhythms(conn), canaries, memories

        key, rhythms, stored, memories = await database.run(load)
        canaries = Canaries(policy, lambda: canary_id.make(key, secrets.token_bytes(canary_id.NONCE_BYTES)))
        canaries.restore(stored, _loaded(memories, Memory.load, "what canaries taught is forgotten"), time.time())
        listening = Listening(canaries, ZoneInfo(health.timezone))
        listening.restore(_loaded(rhythms, Rhythm.load, "its rhythm is learned anew"))
        return cls(database, listening, policy, health.canary.text, tell)

    async def run_canaries(self, book: Book, tails: ShardTails) -> None:
        """Begins and ends canaries for ever; returns at once where there are none."""
        while self._policy.enabled:
            await asyncio.sleep(min(LOOK_PERIOD, self._policy.interval / LOOKS))
            try:
                await self._look(book, tails)
            except StoreError as error:
                self._database.watch.tell(log, "canaries can't be stored, none is sent", error)

    async def run_answers(self) -> None:
        """Stores for ever what hosts answered, at once: they don't say it twice."""
        while True:
            await self._answered.wait()
            self._answered.clear()
            try:
                await self._store_canaries()
            except StoreError as error:  # the next look tries again
                self._database.watch.tell(log, "answers to canaries can't be stored", error)

    async def _look(self, book: Book, tails: ShardTails) -> None:
        peers = book.peers()
        begun = self.listening.begin(peers, time.time(), book.seats())
        for canary in begun:
            shard = self.listening.shard_of(canary.receiver)
            read_upto = None if shard is None else tails.cursor(shard_name(shard))
            self.listening.canaries.reads_on(canary, shard, read_upto)
        await self._store_canaries()  # before it is sent: the budget holds, and a restart sends none again
        for canary in begun:
            shard = self.listening.shard_of(canary.sender)
            # not the same text again and again: that is what WhatsApp takes for spam
            text = time.strftime(f"{self._text.replace('%', '%%')} %Y-%m-%d %H:%M UTC", time.gmtime(canary.at))
            message = SendCanary(canary.id, canary.sender, peers[canary.receiver].address, text)
            if shard is None or not self._tell(host_name(shard), message):
                self.listening.refused(canary.id, time.time())

    async def _store_canaries(self) -> None:
        async with self._storing:  # an older state never comes after a newer one
            changed = self.listening.canaries.take_changed()
            if not changed:
                return
            memories = {id: None if known is None else known.dump() for id, known in changed.memories.items()}

            async def store(conn: Statements) -> None:
                await listening_queries.store_canaries(conn, changed.canaries.values())
                await listening_queries.store_memories(conn, memories)

            try:
                await self._database.run(store)
            except (StoreError, asyncio.CancelledError):
                self.listening.canaries.give_back(changed)
                raise

    def answered(self, answer: CanaryAnswer) -> None:
        """A host sent a canary, or could not."""
        self._answered.set()
        if answer.error is None:
            self.listening.canaries.accepted(answer.id, answer.at)
        else:
            self.listening.refused(answer.id, answer.at)

    async def run_rhythms(self) -> None:
        """Stores them, and compares them, for ever."""
        compared = time.monotonic()
        wait = FIRST_STORE
        while True:
            await asyncio.sleep(wait)
            wait = STORE_PERIOD
            if time.monotonic() - compared >= COMPARE_PERIOD:
                self.listening.compare()
                compared = time.monotonic()
            await self.store()

    async def store(self) -> None:
        """Stores the rhythms that have changed, and canaries; forgets old ones."""
        self.listening.canaries.prune(time.time(), time.monotonic())
        rhythms = {session: rhythm.dump() for session, rhythm in self.listening.unstored().items()}

        async def store(conn: Statements) -> None:
            await listening_queries.store_rhythms(conn, rhythms)
            await listening_queries.prune_canaries(conn, time.time() - CANARIES_KEPT)

        try:
            await self._store_canaries()
            await self._database.run(store)
        except StoreError as error:
            self._database.watch.tell(log, "rhythms could not be stored", error)

    async def forget(self, conn: Statements, known: set[str]) -> None:
        """Of sessions that are no more, in the caller's transaction."""
        for session in await listening_queries.forget_strangers(conn, known):
            self.listening.forget(session)


def _loaded(stored: Mapping[str, D], load: Callable[[D], T], otherwise: str) -> dict[str, T]:
    """By session, without those that are damaged: the log says so."""
    known = {}
    for session, data in stored.items():
        try:
            known[session] = load(data)
        except ValueError as error:
            log.error("%s: %s: %s", session, otherwise, error)
    return known
