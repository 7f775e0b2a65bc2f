"""The host's link to one connector process: what comes over it, and what is confirmed over it."""

from collections.abc import Callable

from actors.connectors.fields import BadField
from actors.connectors.host.confirm import Confirmer
from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.link_events import LinkEvent, parse_host_event
from actors.connectors.protocol import PROTOCOL, Hello
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link


class Uplink:
    """``take`` gets the events in their order and may raise ConnectorFault; ``faulty`` is told of what is no event."""

    link: Link
    confirmer: Confirmer

    def __init__(self, take: Callable[["Uplink", LinkEvent], None], faulty: Callable[[Exception], None]) -> None:
        self._take = take
        self._faulty = faulty
        self._greeted = False
        self._early: list[LinkEvent] = []

    async def connect(self, path: str) -> None:
        """Connects and says hello.  Raises OSError, RemoteError, TimeoutError or BadField."""
        self.link = await Link.connect(path, on_event=self._event)
        hello = Hello.read(await self.link.request("hello", protocol=PROTOCOL, role="host"))
        self.confirmer = Confirmer(self.link, hello)

    def begin(self) -> None:
        """From now on events are taken; first those that came right behind the answer to hello."""
        self._greeted = True
        early, self._early = self._early, []
        for event in early:
            self._take(self, event)

    def _event(self, link: Link, frame: Frame) -> None:
        try:
            event = parse_host_event(frame)
            if event is None:
                return
            if self._greeted:
                self._take(self, event)
            elif link.answered:
                self._early.append(event)
            else:
                raise ConnectorFault(FaultKind.MALFORMED, "an event came before the answer to hello")
        except (BadField, ConnectorFault) as error:
            self._faulty(error)
