"""The host's link to one connector process: what comes over it, and what is confirmed over it."""

from collections.abc import Callable

from actors.connectors.fields import BadField
from actors.connectors.host.confirm import Confirmer
from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.link_events import LinkEvent
from actors.connectors.link_frames import parse_host_event
from actors.connectors.protocol import HOST_LIMITS, PROTOCOL, ErrorCode, Hello
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, LinkClosed, RemoteError

HELLO_PATIENCE = 10.0
"""Seconds for the answer to hello."""


class Uplink:
    """``take`` gets the events in their order and may raise ConnectorFault; ``faulty`` is told of what is no event."""

    link: Link
    hello: Hello
    """Its answer to hello."""
    confirmer: Confirmer

    def __init__(self, take: Callable[["Uplink", LinkEvent], None], faulty: Callable[[ConnectorFault], None]) -> None:
        self._take = take
        self._faulty = faulty
        self._greeted = False
        self._early: list[LinkEvent] = []
        self._fault: ConnectorFault | None = None

    async def connect(self, path: str) -> None:
        """Connects and says hello.  Raises ConnectorFault."""
        try:
            self.link = await Link.connect(path, on_event=self._event, limits=HOST_LIMITS)
        except OSError as error:
            why = f"it said that it is ready and does not listen on its socket: {error.strerror}"
            raise ConnectorFault(FaultKind.NOT_READY, why) from None
        try:
            answer = await self.link.request("hello", HELLO_PATIENCE, protocol=PROTOCOL, role="host")
            self.hello = Hello.read(answer)
            self.confirmer = Confirmer(self.link, self.hello)
        except LinkClosed:
            why = "it closed the host's link before it answered hello"
            raise self.fault or ConnectorFault(FaultKind.MALFORMED, why) from None
        except TimeoutError:
            raise ConnectorFault(FaultKind.SILENT, f"it did not answer hello within {HELLO_PATIENCE:g} s") from None
        except RemoteError as error:
            wrong = error.code == ErrorCode.UNSUPPORTED_PROTOCOL
            kind = FaultKind.WRONG_VERSION if wrong else FaultKind.MALFORMED
            raise ConnectorFault(kind, f"it refused the host's hello: {error.code}") from None
        except BadField as error:
            kind = FaultKind.WRONG_VERSION if error.path == "protocol" else FaultKind.MALFORMED
            raise ConnectorFault(kind, f"its answer to hello is wrong: {error}") from None

    @property
    def fault(self) -> ConnectorFault | None:
        """Why the link had to be cut; None if it was not, or for no fault of the connector's."""
        if self._fault is None and self.link.breach is not None:
            breach, why = self.link.breach
            self._fault = ConnectorFault(FaultKind(breach), f"on the host's link: {why}")
        return self._fault

    def begin(self) -> None:
        """From now on events are taken; first those that came right behind the answer to hello."""
        self._greeted = True
        early, self._early = self._early, []
        for event in early:
            self._give(event)

    def _event(self, link: Link, frame: Frame) -> None:
        try:
            event = parse_host_event(frame)
        except BadField as error:
            self._blame(ConnectorFault(FaultKind.MALFORMED, f"it sent a malformed event: {error}"))
            return
        if event is None:
            return
        if self._greeted:
            self._give(event)
        elif link.answered:
            self._early.append(event)
        else:
            self._blame(ConnectorFault(FaultKind.MALFORMED, "it sent an event before it answered hello"))

    def _give(self, event: LinkEvent) -> None:
        try:
            self._take(self, event)
        except ConnectorFault as fault:
            self._blame(fault)

    def _blame(self, fault: ConnectorFault) -> None:
        self._fault = self._fault or fault
        self.link.abort()
        if self._greeted:
            self._faulty(fault)
