"""What a message said that was sent long ago, for a connector whose recipient could not read it and asks again.

A device that can't decrypt a message asks its sender for it, also hours later: then the process that sent it may be
gone, and with it the text.  The table of sends has it.
"""

import logging
from collections.abc import Callable
from typing import Any

from actors.connectors.host.journal import Journal
from actors.runtime.rpc import Link, LinkClosed, RemoteError
from actors.store import api_queries, shard_queries
from actors.store.engine import Database
from actors.store.errors import StoreError

log = logging.getLogger(__name__)

MOST = 256
"""Requests that wait; further ones are not answered, and asked again at the session's next login."""


class Resends:
    """Answers the event ``wanted``; ``link`` returns the link to a session's connector, None while there is none."""

    def __init__(
        self, journal: Journal, api: Database, link: Callable[[str], Link | None], spawn: Callable[..., Any]
    ) -> None:
        self._journal = journal
        self._api = api
        self._link = link
        self._spawn = spawn
        self._wanted: dict[tuple[str, str], None] = {}
        """Session and message id, in the order in which they were asked for."""

    def wanted(self, session: str, message_id: str) -> None:
        """A connector asks for the text of a message."""
        if len(self._wanted) >= MOST:
            return
        idle = not self._wanted
        self._wanted[session, message_id] = None
        if idle:
            self._spawn(self._answer(), name="texts to be sent again")

    async def _answer(self) -> None:
        while self._wanted:
            session, message_id = next(iter(self._wanted))
            try:
                await self._tell(session, message_id)
            finally:
                del self._wanted[session, message_id]

    async def _tell(self, session: str, message_id: str) -> None:
        try:
            text = await self._text(session, message_id)
        except StoreError as error:
            self._journal.watch.tell(log, "a text to be sent again can't be read", error)
            return  # unanswered, it is asked for another time
        if (link := self._link(session)) is None:
            return
        try:
            await link.request("text", session=session, messageId=message_id, text=text)
        except (LinkClosed, TimeoutError, RemoteError) as error:
            log.info("%s: a text to be sent again was not taken: %s", session, error)

    async def _text(self, session: str, message_id: str) -> str | None:
        """None for what was not sent from here, and for what was forgotten meanwhile."""
        known = await self._journal.read(lambda conn: shard_queries.find_by_message(conn, session, message_id))
        if known is None:
            return None
        stored = await self._api.run(lambda conn: api_queries.find_send(conn, session, known.id))
        return None if stored is None else stored.text
