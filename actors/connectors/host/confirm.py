"""Tells a connector what is stored: one ``stored`` at a time, each for all that was committed until then."""

import asyncio

from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.host.window import Window
from actors.connectors.protocol import STORED, Hello
from actors.runtime.rpc import Link, LinkClosed, RemoteError


class Confirmer:
    """Of one connector process: numbers belong to its link."""

    def __init__(self, link: Link, hello: Hello) -> None:
        self._link = link
        self._window = Window(numbered=STORED in hello.capabilities)
        self._stored = 0
        self._wake = asyncio.Event()

    def heard(self, n: int | None) -> None:
        """An event with that number came.  Raises ConnectorFault."""
        self._window = self._window.heard(n)

    def stored(self, upto: int) -> None:
        """Everything up to that number is durable."""
        self._stored = upto
        self._wake.set()

    def end(self) -> None:
        """The link has ended: ``run`` is to return."""
        self._wake.set()

    async def run(self) -> None:
        """Confirms until the link ends.  Raises ConnectorFault when the connector refuses it."""
        while not self._link.closed.is_set():
            await self._wake.wait()
            self._wake.clear()
            upto = self._stored
            if upto <= self._window.confirmed:
                continue
            self._window = self._window.confirming(upto)
            try:
                await self._link.request("stored", upto=upto)
            except (LinkClosed, TimeoutError):
                continue  # its end is noticed elsewhere; a later one confirms this as well
            except RemoteError as error:
                raise ConnectorFault(FaultKind.MALFORMED, f"the connector refused 'stored': {error}") from None
