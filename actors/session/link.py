"""A session's link to its connector process: reserve a generation, connect, say hello, and again whenever it ends."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from actors.connectors.answers import PairingCode
from actors.connectors.fields import BadField
from actors.connectors.host.fault import FaultKind
from actors.connectors.link_events import LinkEvent
from actors.connectors.link_frames import parse_session_event
from actors.connectors.protocol import PROTOCOL, SESSION_LIMITS, ErrorCode, Hello
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, LinkClosed, RemoteError
from actors.vault.client import Reservation, VaultUnavailable, reserve

log = logging.getLogger(__name__)

RETRY = 0.02
"""Seconds between the first attempts to reach the connector: a spare that takes over is there that soon."""
RETRY_GROWTH = 1.6
"""Factor from one pause to the next: a process that has to be started takes longer."""
RETRY_MAX = 2.0
RESERVE_DEADLINE = 5.0
HELLO_DEADLINE = 10.0
HELLOS = 4
"""Hellos in a row without an answer until it is told: one may wait for a vault that is silent for 30 s."""
_PASSING = frozenset({ErrorCode.FENCED, ErrorCode.VAULT_UNAVAILABLE, "link_closed"})
"""Why there may be no link for a while, and nobody has to do anything."""
_LONGEST = 300
"""Characters of a refusal that are told."""


@dataclass(frozen=True, slots=True)
class LinkTo:
    """Where a session's connector and vault are."""

    session: str
    connector_socket: str
    vault_socket: str
    profile: Mapping[str, Any] | None


class SessionLink:
    """Keeps the link.  ``up`` gets the connector's hello, ``down`` is called once for each ``up``.

    ``on_fault`` is told, with the pid of the connector process, what that did against the protocol.
    """

    def __init__(
        self,
        to: LinkTo,
        *,
        up: Callable[[Hello, Reservation], None],
        down: Callable[[], None],
        on_event: Callable[[LinkEvent], None],
        on_fault: Callable[[int, FaultKind, str], None],
    ) -> None:
        self._to = to
        self._up = up
        self._down = down
        self._on_event = on_event
        self._on_fault = on_fault
        self._unanswered = 0
        self._refusal: tuple[str, str] | None = None
        """Code and sentence of what was refused since the last link."""
        self._link: Link | None = None
        self._hurried = asyncio.Event()
        self._early: list[LinkEvent] = []
        """What came right behind the answer to ``hello``, such as a ``closed`` that nobody saw: told after it."""

    async def run(self) -> None:
        """Keeps a link for ever; ends only when a higher generation owns the session."""
        pause = RETRY
        while True:
            self._hurried.clear()
            try:
                await self._live()
                pause = RETRY
            except RemoteError as error:
                if error.code not in _PASSING:
                    self._refused(error)
            except (OSError, VaultUnavailable, BadField) as error:
                log.debug("%s: no link yet: %s", self._to.session, error)
            else:
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._hurried.wait()
            pause = RETRY if self._hurried.is_set() else min(RETRY_MAX, pause * RETRY_GROWTH)

    def hurry(self) -> None:
        """The connector is there now: whoever waits for the next attempt waits no more."""
        self._hurried.set()

    async def _live(self) -> None:
        self._early = []
        link = await Link.connect(self._to.connector_socket, on_event=self._event, limits=SESSION_LIMITS)
        try:
            reserved = await reserve(self._to.vault_socket, self._to.session, RESERVE_DEADLINE)
            hello = await self._greet(link, reserved.generation)
        except BaseException:
            link.abort()
            self._look_for_fault(link)
            raise
        self._link = link
        self._up(hello, reserved)
        for event in self._early:
            self._on_event(event)
        try:
            await link.closed.wait()
            self._look_for_fault(link)
        finally:
            self._link = None
            link.abort()
            self._down()

    async def _greet(self, link: Link, generation: int) -> Hello:
        try:
            answer = await link.request(
                "hello",
                HELLO_DEADLINE,
                protocol=PROTOCOL,
                role="session",
                session=self._to.session,
                generation=generation,
                profile=self._to.profile,
            )
        except TimeoutError:
            self._unanswered += 1
            if self._unanswered % HELLOS == 0:
                why = f"it answers no hello of this session, {self._unanswered} times by now"
                self._on_fault(link.peer, FaultKind.SILENT, why)
            raise
        except RemoteError as error:
            if error.code not in _PASSING:
                self._on_fault(
                    link.peer, FaultKind.REFUSING, f"it refuses this session's hello: {self._refused(error)}"
                )
            raise
        self._unanswered, self._refusal = 0, None
        try:
            return Hello.read(answer)
        except BadField as error:
            self._on_fault(link.peer, FaultKind.MALFORMED, f"its answer to hello is wrong: {error}")
            raise

    def _refused(self, error: RemoteError) -> str:
        """What is refused, by the connector or the vault; logged once, and told as it was told first."""
        if self._refusal is None or self._refusal[0] != error.code:
            self._refusal = error.code, str(error)[:_LONGEST]
            log.error("%s: there is no link: %s", self._to.session, self._refusal[1])
        return self._refusal[1]

    def _look_for_fault(self, link: Link) -> None:
        if link.breach is not None:
            breach, why = link.breach
            self._on_fault(link.peer, FaultKind(breach), why)

    def _event(self, link: Link, frame: Frame) -> None:
        try:
            event = parse_session_event(frame)
        except BadField as error:
            self._on_fault(link.peer, FaultKind.MALFORMED, f"it sent a malformed event: {error}")
            link.abort()
            return
        if event is None:
            return
        if self._link is not None:
            self._on_event(event)
        elif link.answered:
            self._early.append(event)
        else:
            self._on_fault(link.peer, FaultKind.MALFORMED, "it sent an event before it answered hello")
            link.abort()

    def drop(self) -> None:
        """Ends the link; a new one follows."""
        if self._link is not None:
            self._link.abort()

    async def request(self, cmd: str, deadline: float = 15.0, **fields: Any) -> Any:
        """A command of the connector protocol.  Raises RemoteError, LinkClosed, TimeoutError."""
        if self._link is None:
            raise LinkClosed
        return await self._link.request(cmd, deadline, **fields)

    async def pairing_code(self, deadline: float, phone: str) -> PairingCode:
        """Asks for one.  Raises RemoteError, LinkClosed, TimeoutError; a wrong answer ends the link."""
        if (link := self._link) is None:
            raise LinkClosed
        answer = await link.request("pairing_code", deadline, phone=phone)
        try:
            return PairingCode.read(answer)
        except BadField as error:
            self._on_fault(link.peer, FaultKind.MALFORMED, f"its answer to pairing_code is wrong: {error}")
            link.abort()
            raise LinkClosed from None
