"""Tells the connector what is stored: one ``stored`` at a time, each for all that was committed until then."""

import asyncio
from collections.abc import Callable

from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.host.window import Window
from actors.runtime.rpc import Link, LinkClosed, RemoteError


class Confirmer:
    """Of one connector process.  ``link`` returns the link to it, or None while there is none."""

    def __init__(self, link: Callable[[], Link | None]) -> None:
        self._link = link
        self._window = Window()
        self._stored = 0
        self._wake = asyncio.Event()

    def begin(self, *, numbered: bool) -> None:
        """The connector said hello."""
        self._window = Window(numbered)

    def heard(self, n: int | None) -> None:
        """An event with that number came.  Raises ConnectorFault."""
        self._window = self._window.heard(n)

    def stored(self, upto: int) -> None:
        """Everything up to that number is durable."""
        self._stored = upto
        self._wake.set()

    async def run(self) -> None:
        """Confirms for ever, or until the link has ended.  Raises ConnectorFault when the connector refuses it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            link, upto = self._link(), self._stored
            if link is None or upto <= self._window.confirmed:
                continue
            self._window = self._window.confirming(upto)
            try:
                await link.request("stored", upto=upto)
            except (LinkClosed, TimeoutError):
                continue  # its end is noticed elsewhere; a later one confirms this as well
            except RemoteError as error:
                raise ConnectorFault(FaultKind.MALFORMED, f"the connector refused 'stored': {error}") from None
