"""What a session that moved here was told elsewhere: its digests of inbound messages, taken over from other shards.

They are read before the first message that comes here: by then the connection that the session had elsewhere is over,
and what it told is stored.  Whoever is killed in between reads them again.
"""

import logging
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from actors.settings import Settings, shard_name
from actors.store import api_queries, inbound
from actors.store.direct import Statements
from actors.store.engine import Database, open_reader
from actors.store.errors import StoreError
from actors.store.group import GroupCommit
from actors.store.inbound import Seen
from actors.store.shard_tails import shards_in

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that messages wait for databases that can't be read: told twice is a smaller harm than never."""
_MOVES: Final = "the list of who came"


@dataclass(frozen=True, slots=True)
class Share:
    """Of one session."""

    session: str
    moves: int
    """How often it had moved until then."""
    seen: Sequence[Seen]


class Heritage:
    """Of one shard, whose database is ``journal``'s; ``api`` is read only."""

    def __init__(self, shard: int, settings: Settings, journal: GroupCommit, api: Database) -> None:
        self._shard = shard
        self._settings = settings
        self._journal = journal
        self._api = api
        self._open: dict[str, int] | None = None
        """Sessions that have something to inherit -> how often they have moved; None: not known."""
        self._plans = 0
        self._failing_since: dict[str, float] = {}
        """What can't be read -> since when, in the seconds of ``time.monotonic``."""

    def replan(self) -> None:
        """Sessions may have come."""
        self._open = None
        self._plans += 1

    async def of(self, sessions: Iterable[str]) -> list[Share]:
        """What has to be stored before a message of these sessions.

        Raises:
            StoreError: a database can't be read; no more after ``PATIENCE`` of that, until it can be again: sessions
                go without what is in it.
        """
        try:
            left = await self._left()
        except StoreError as error:
            if self._waits_for(_MOVES, error):
                raise
            return []
        came = {session: left[session] for session in set(sessions) & left.keys()}
        seen = await self._seen(came) if came else {}
        return [Share(session, moves, seen[session]) for session, moves in came.items()]

    def settled(self, shares: Iterable[Share]) -> None:
        """They are stored."""
        for share in shares:
            if self._open is not None:
                self._open.pop(share.session, None)

    async def _left(self) -> dict[str, int]:
        """As ``_open``, which a plan that comes later forgets; who came with one that comes meanwhile is in it."""
        while (left := self._open) is None:
            plans = self._plans
            found = await self._unsettled()
            self._failing_since.pop(_MOVES, None)
            if plans == self._plans:
                self._open = found
        return left

    async def _unsettled(self) -> dict[str, int]:
        moved = await self._api.run(lambda conn: api_queries.moves(conn, self._shard))

        async def left_open(conn: Statements) -> dict[str, int]:
            return {id: moves for id, moves in moved.items() if await inbound.inherited(conn, id) != moves}

        return await self._journal.read(left_open) if moved else {}

    async def _seen(self, sessions: Collection[str]) -> dict[str, list[Seen]]:
        """What each was told in other shards, of which each is opened once."""
        seen: dict[str, list[Seen]] = {session: [] for session in sessions}
        since = time.time() - inbound.REMEMBERED
        late: StoreError | None = None

        async def read(conn: Statements) -> dict[str, list[Seen]]:
            there = sessions if await inbound.is_kept(conn) else ()
            return {session: await inbound.seen_since(conn, session, since) for session in there}

        for name in sorted(shards_in(self._settings.state_dir) - {shard_name(self._shard)}):
            try:
                async with await open_reader(self._settings.database(name)) as database:
                    found = await database.run(read)
            except StoreError as error:
                if self._waits_for(name, error):
                    late = error
                continue
            self._failing_since.pop(name, None)
            for session, there in found.items():
                seen[session] += there
        if late is not None:
            raise late
        return seen

    def _waits_for(self, what: str, error: StoreError) -> bool:
        """Whether messages still wait for what can't be read; else the log says so."""
        now = time.monotonic()
        if now - self._failing_since.setdefault(what, now) < PATIENCE:
            return True
        self._journal.watch.tell(log, f"messages are told without waiting for {what}, which can't be read", error)
        return False
