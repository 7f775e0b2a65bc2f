"""The canaries of a shard: sends those that health asks for, and knows those that arrive from people's messages."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable

from actors.connectors import canary_id
from actors.connectors.link_events import Kept
from actors.messages.services import CanaryAnswer, SendCanary
from actors.runtime.rpc import Link, RemoteError
from actors.settings import Settings
from actors.store import listening_queries
from actors.store.engine import open_reader
from actors.store.errors import StoreError

log = logging.getLogger(__name__)

UNANSWERED = "ack_timeout"
NOBODY = "not_open"
KEY_PATIENCE = 10.0
"""Seconds that messages wait for a database of health that can't be read: anybody may send one with an id that has it
read, and a canary told as a message is the smaller harm than messages that are told no more."""


class Canaries:
    """``link`` gives the link to a session's connector, or None; ``answer`` is told what became of a canary."""

    def __init__(
        self, settings: Settings, link: Callable[[str], Link | None], answer: Callable[[CanaryAnswer], object]
    ) -> None:
        self._path = settings.database("health")
        self._link = link
        self._answer = answer
        self._patience = settings.ack_timeout + 5.0
        self._key: bytes | None = None
        self._failing_since: float | None = None

    async def send(self, asked: SendCanary) -> None:
        """Once, and not by the way of people's messages: it waits for nobody and is not repeated."""
        await self.look()
        link = self._link(asked.session)
        error: str | None = NOBODY
        if link is not None:
            try:
                await link.request(
                    "send", self._patience, session=asked.session, messageId=asked.id, to=asked.to, text=asked.text
                )
            except RemoteError as refused:
                error = refused.code
            except TimeoutError:
                error = UNANSWERED
            else:
                error = None
        self._answer(CanaryAnswer(asked.id, time.time(), error))

    async def look(self) -> None:
        """Reads the key if there is one: early, for the database may be broken later."""
        if self._key is None:
            with contextlib.suppress(StoreError):
                await self._read()

    async def learn(self, events: Iterable[Kept]) -> None:
        """Reads the key if one of the events may be a canary's, or about one.

        While there is none, there never was a canary; one message of 256 has it looked for.

        Raises:
            StoreError: the database can't be read; no more after ``KEY_PATIENCE`` of that, until it can be again.
        """
        if self._key is not None or not any(canary_id.may_be(event.message_id) for event in events):
            return
        try:
            await self._read()
        except StoreError as error:
            now = time.monotonic()
            if self._failing_since is None:
                self._failing_since = now
            if now - self._failing_since < KEY_PATIENCE:
                raise
            log.warning("canaries can't be told from messages: %s", error)

    async def _read(self) -> None:
        async with await open_reader(self._path) as database:
            self._key = await database.run(listening_queries.canary_key)
        self._failing_since = None

    def knows(self, message_id: str) -> bool:
        """Whether a message is a canary."""
        return self._key is not None and canary_id.is_canary(self._key, message_id)
