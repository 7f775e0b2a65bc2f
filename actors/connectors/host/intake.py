"""Taking over: sends go from the table of sends, where main accepts them, into the shard's database, in their order."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable

from actors.connectors.host.journal import Journal
from actors.store import api_queries, cursors, shard_queries
from actors.store.engine import Database
from actors.store.errors import StoreError
from actors.store.records import SendProgress

log = logging.getLogger(__name__)

PAGE = 200
"""Sends taken over in one transaction."""


def new_message_id() -> str:
    """An id as WhatsApp Web's own client makes them: 3EB0 and 18 hexadecimal digits."""
    return "3EB0" + secrets.token_hex(9).upper()


class Intake:
    """Of one shard.  ``taken`` is told the session of each send that is in the shard's database now."""

    def __init__(self, shard: int, journal: Journal, api: Database, taken: Callable[[str], None]) -> None:
        self._shard = shard
        self._journal = journal
        self._api = api
        self._taken = taken
        self._position = 0
        self._taking = asyncio.Lock()

    async def restore(self) -> None:
        """Goes on where an earlier host ended."""
        self._position = await self._journal.read(lambda conn: cursors.get_cursor(conn, shard_queries.SENDS_CURSOR))

    async def take(self) -> None:
        """Takes what is new; what can't be read now is read at the next call."""
        async with self._taking:
            try:
                while await self._take_page():
                    pass
            except StoreError as error:
                self._journal.watch.tell(log, "new sends can't be taken over yet", error)

    async def _take_page(self) -> bool:
        after, shard = self._position, self._shard
        new = await self._api.run(lambda conn: api_queries.new_sends(conn, after, shard, PAGE))
        if not new:
            return False
        now, upto = time.time(), new[-1].seq
        accepted = [SendProgress(s.session, s.id, new_message_id(), s.to_jid, "queued", now) for s in new]
        await self._journal.insist(lambda conn: shard_queries.accept_sends(conn, accepted, upto), "new sends")
        self._position = upto
        for session in {send.session for send in accepted}:
            self._taken(session)
        return True
