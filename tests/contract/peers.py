"""The other side of a connector in tests: host and session links that record what they are told."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from actors.connectors.link_events import Kept, LinkEvent, Wanted
from actors.connectors.link_frames import parse_host_event, parse_session_event
from actors.connectors.protocol import PROTOCOL, Hello, State
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, LinkClosed, RemoteError

WITHIN = 15.0
"""Seconds in which what a test waits for must come."""

Event = TypeVar("Event", bound=LinkEvent)


class Inbox:
    """Events in the order of their arrival; ``next`` gives each of them once."""

    def __init__(self, parse: Callable[[Frame], LinkEvent | None]) -> None:
        self.events: list[LinkEvent] = []
        self._parse = parse
        self._fresh: list[LinkEvent] = []
        self._came = asyncio.Event()
        self.on_event: Callable[[LinkEvent], None] = lambda _: None

    def put(self, _: Link, frame: Frame) -> None:
        """Takes an event as it came; the parser raises for one with a wrong field."""
        event = self._parse(frame)
        assert event is not None, frame
        self.events.append(event)
        self._fresh.append(event)
        self._came.set()
        self.on_event(event)

    @property
    def names(self) -> list[str]:
        """The names of all events so far."""
        return [str(event.name) for event in self.events]

    def of(self, kind: type[Event]) -> list[Event]:
        """All events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def next(self, kind: type[Event], within: float = WITHIN, **fields: Any) -> Event:
        """Waits for the next event of a kind with these field values; those before it stay for others."""
        try:
            async with asyncio.timeout(within):
                while True:
                    for event in self._fresh:
                        if isinstance(event, kind) and all(getattr(event, k) == v for k, v in fields.items()):
                            self._fresh.remove(event)
                            return event
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__} {fields} within {within} s; there were {self.events}") from None


class Peer:
    """One link, with its inbox."""

    def __init__(self, link: Link, inbox: Inbox, hello: Hello) -> None:
        self.link = link
        self.inbox = inbox
        self.hello = hello

    @classmethod
    async def greet(cls, path: str, parse: Callable[[Frame], LinkEvent | None], **fields: Any) -> Self:
        """Connects and says hello.  Raises RemoteError."""
        inbox = Inbox(parse)
        link = await Link.connect(path, on_event=inbox.put)
        try:
            answer = await link.request("hello", WITHIN, **{"protocol": PROTOCOL, **fields})
        except BaseException:
            link.abort()
            raise
        return cls(link, inbox, Hello.read(answer))

    async def ask(self, cmd: str, **fields: Any) -> Any:
        """The answer to a request.  Raises RemoteError."""
        return await self.link.request(cmd, WITHIN, **fields)

    async def next(self, kind: type[Event], within: float = WITHIN, **fields: Any) -> Event:
        """The next event of a kind."""
        return await self.inbox.next(kind, within, **fields)

    async def ended(self) -> None:
        """Returns when the link is over."""
        async with asyncio.timeout(WITHIN):
            await self.link.closed.wait()

    async def leave(self) -> None:
        """Ends the link."""
        await self.link.close()


class HostPeer(Peer):
    """The host's link.  Confirms at once what it has to confirm, unless it is told to ``withhold`` that."""

    def __init__(self, link: Link, inbox: Inbox, hello: Hello) -> None:
        super().__init__(link, inbox, hello)
        self.withhold = False
        self.numbers: list[int] = []
        """Of the events that have to be confirmed, as they came."""
        self.texts: dict[tuple[str, str], str] = {}
        """By session and message id: what it answers when a connector wants a text."""
        self.answers = True
        """Whether it answers that at all."""
        self._confirming: set[asyncio.Task[Any]] = set()
        self.refused: list[BaseException | None] = []
        inbox.on_event = self._came
        for event in inbox.events:
            self._came(event)

    @classmethod
    async def connect(cls, path: str) -> Self:
        """Says hello as the host."""
        return await cls.greet(path, parse_host_event, role="host")

    def _came(self, event: LinkEvent) -> None:
        if isinstance(event, Kept) and event.n is not None:
            self.numbers.append(event.n)
            if not self.withhold:
                self._tell("stored", upto=event.n)
        elif isinstance(event, Wanted) and self.answers:
            text = self.texts.get((event.session, event.message_id))
            self._tell("text", session=event.session, messageId=event.message_id, text=text)

    def _tell(self, command: str, **fields: Any) -> None:
        task = asyncio.ensure_future(self.link.request(command, WITHIN, **fields))
        self._confirming.add(task)
        task.add_done_callback(self._confirmed)

    def _confirmed(self, task: asyncio.Task[Any]) -> None:
        self._confirming.discard(task)
        if not task.cancelled() and not isinstance(task.exception(), LinkClosed | None):
            self.refused.append(task.exception())

    async def leave(self) -> None:
        """Ends the link.  Raises AssertionError if a confirmation was refused."""
        await super().leave()
        assert not self.refused, f"stored was refused: {self.refused}"

    async def stored(self) -> None:
        """Confirms all that came."""
        if self.numbers:
            await self.ask("stored", upto=self.numbers[-1])

    async def send(self, session: str, message_id: str, to: str, text: str = "hello") -> Any:
        """Sends one text."""
        return await self.ask("send", session=session, messageId=message_id, to=to, text=text)


class SessionPeer(Peer):
    """A session's link."""

    id: str
    """Of the session."""

    @classmethod
    async def connect(cls, path: str, session: str, generation: int, profile: Mapping[str, Any] | None = None) -> Self:
        """Says hello as a session's actor."""
        fields = {"session": session, "generation": generation, "profile": profile}
        peer = await cls.greet(path, parse_session_event, role="session", **fields)
        peer.id = session
        return peer

    @property
    def state(self) -> State:
        """The state in the answer to hello."""
        assert self.hello.state is not None
        return self.hello.state

    async def status(self) -> State:
        """The state as of now."""
        return State.read(await self.ask("status"))


async def refusal(request: Any) -> RemoteError:
    """The error that a request is answered with; fails the test if there is none."""
    try:
        answer = await request
    except RemoteError as error:
        return error
    raise AssertionError(f"expected a refusal, got {answer!r}")
