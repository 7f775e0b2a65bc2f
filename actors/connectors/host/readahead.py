"""What waits to be sent: it stands in the shard's database; in memory is a page of it for each session."""

import asyncio
import collections
import logging
from collections.abc import Iterable

from actors.connectors.host.journal import STORE_PAUSE, Journal
from actors.store import shard_queries
from actors.store.errors import StoreError
from actors.store.records import SendProgress

log = logging.getLogger(__name__)

AHEAD = 50
"""Sends of one session that are read ahead."""


class ReadAhead:
    """The first of a session stays the first until it is finished."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._ahead: dict[str, collections.deque[SendProgress]] = {}
        self._unread: set[str] = set()
        """Sessions that may have more to send than is read ahead."""

    def add(self, session: str) -> None:
        """There may be more of it in the database."""
        self._unread.add(session)

    def waits(self, session: str) -> bool:
        """Whether a session has something to send, as far as is known without reading."""
        return bool(self._ahead.get(session)) or session in self._unread

    async def first(self, session: str) -> SendProgress | None:
        """The first that is not finished."""
        while not (queue := self._ahead.get(session)) and session in self._unread:
            self._unread.discard(session)
            try:
                page = await self._journal.read(lambda conn: shard_queries.unfinished_sends(conn, session, AHEAD))
            except StoreError as error:
                self._journal.watch.tell(log, "what waits can't be read", error)
                self._unread.add(session)
                await asyncio.sleep(STORE_PAUSE)
                continue
            if page:
                self._ahead[session] = collections.deque(page)
            if len(page) == AHEAD:
                self._unread.add(session)
        return queue[0] if queue else None

    def replace(self, item: SendProgress) -> None:
        """It is further than before."""
        queue = self._ahead.get(item.session)
        if queue and queue[0].id == item.id:
            queue[0] = item

    def finish(self, item: SendProgress) -> None:
        """The next one is the first now."""
        queue = self._ahead.get(item.session)
        if queue and queue[0].id == item.id:
            queue.popleft()
            if not queue:
                del self._ahead[item.session]

    def drop(self, session: str) -> None:
        """Forgets what was read of it."""
        self._ahead.pop(session, None)

    def forget(self, sessions: Iterable[str]) -> None:
        """The sessions are no more."""
        for session in sessions:
            self._ahead.pop(session, None)
            self._unread.discard(session)
