"""The commands and the timer that the state machine asks for."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from actors.connectors.proxytarget import ProxyTarget
from actors.runtime.rpc import LinkClosed, RemoteError
from actors.session import effects
from actors.session.inputs import clock, connector
from actors.session.inputs.event import Event
from actors.session.link import SessionLink

log = logging.getLogger(__name__)

PAIRING_CODE_DEADLINE = 25.0
COMMAND_DEADLINE = 20.0


class Duties:
    """Carries out effects; ``feed`` takes the answers back to the machine."""

    proxy: ProxyTarget | None = None
    """Through what connections are opened."""

    def __init__(
        self, link: SessionLink, feed: Callable[[Event], None], spawn: Callable[[Any], asyncio.Task[Any]]
    ) -> None:
        self._link = link
        self._feed = feed
        self._spawn = spawn
        self._timer: asyncio.TimerHandle | None = None

    def perform(self, effect: effects.Effect) -> None:
        """Begins one effect."""
        match effect:
            case effects.OpenConnection():
                self._spawn(self._open(self.proxy))
            case effects.CloseConnection():
                self._spawn(self._tell("close"))
            case effects.LogoutConnection():
                self._spawn(self._tell("logout"))
            case effects.ResetAuth():
                self._spawn(self._reset())
            case effects.DropLink():
                self._link.drop()
            case effects.SetTimer():
                self._cancel()
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(max(0.0, effect.delay_s), self._feed, clock.TimerDue(effect.token))
            case effects.CancelTimer():
                self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _open(self, proxy: ProxyTarget | None) -> None:
        fields = {} if proxy is None else {"proxy": proxy.to_wire()}
        try:
            await self._link.request("open", COMMAND_DEADLINE, **fields)
        except LinkClosed:
            return  # told as LinkDown
        except RemoteError as error:
            self._feed(connector.OpenRefused(error.code, error.message))
        except TimeoutError:
            self._link.drop()

    async def _tell(self, command: str) -> None:
        try:
            await self._link.request(command, COMMAND_DEADLINE)
        except (RemoteError, TimeoutError) as error:
            log.debug("%s was not carried out: %s", command, error)  # the machine's timer takes care of it

    async def _reset(self) -> None:
        try:
            await self._link.request("reset_auth", COMMAND_DEADLINE)
        except RemoteError as error:
            self._feed(connector.AuthReset(error.code))
        except TimeoutError:
            self._feed(connector.AuthReset("timeout"))
        else:
            self._feed(connector.AuthReset())

    async def pairing_code(self, phone: str) -> tuple[Any, tuple[str, str] | None]:
        """Asks for a code: (answer, None) or (None, (reason, sentence))."""
        try:
            answer = await self._link.pairing_code(PAIRING_CODE_DEADLINE, phone)
        except RemoteError as error:
            reason = "not_pairing" if error.code == "not_pairing" else "unavailable"
            return None, (reason, error.message)
        except TimeoutError:
            return None, ("timeout", "the server gave no pairing code in time")
        return {"code": answer.code, "expires_at": answer.expires_at / 1000}, None
