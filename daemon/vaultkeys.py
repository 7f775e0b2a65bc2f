"""Main's part in the master keys: it alone reads them anew, so it offers them to each life of the vault."""

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Any, Final

from actors.connectors.protocol import PROTOCOL
from actors.connectors.vaultlink import VaultLink
from actors.runtime.rpc import Link, LinkClosed, RemoteError
from actors.vault.keyring import MasterKeys
from actors.vault.link import KEY_REFUSED
from daemon.audit.deeds import DAEMON, DONE, AuditTrail, Caller, Deed
from daemon.backend import BackendError

log = logging.getLogger(__name__)

RETRY: Final = 0.1
"""Seconds between attempts to reach a vault that is being restarted."""
PERIOD: Final = 10.0
"""Seconds between two offers to a vault that has the keys already."""
WHILE_ROTATING: Final = 0.5
ANSWER: Final = 30.0
ROTATE: Final = "key.rotate"


class VaultKeys:
    """A vault is started with the keys of the daemon's start; what a reload changed it learns from here.

    ``rotates``: a rotation began with the start.
    """

    def __init__(self, socket: str, keys: MasterKeys, trail: AuditTrail, *, rotates: bool = False) -> None:
        self._socket = socket
        self._keys = keys
        self._trail = trail
        self._rotates = rotates
        self._entry: tuple[int | None, Deed] | None = None
        """Of the rotation that is under way, in the audit log."""
        self._turn = asyncio.Lock()
        """Of offers: one with the keys of before must not follow one with new ones."""

    async def watch(self) -> None:
        """For ever."""
        refused = ""
        while True:
            try:
                await self._keep()
            except (OSError, LinkClosed) as error:  # OSError holds TimeoutError too
                log.debug("the vault can't be reached: %s", error)
            except RemoteError as error:
                if error.message != refused:
                    log.error("the vault refuses the configured master keys: %s", error.message)
                refused = error.message
            except BackendError as error:
                log.warning("a rotation of the master key is not in the audit log yet: %s", error.message)
            await asyncio.sleep(RETRY)

    async def _keep(self) -> None:
        link = await Link.connect(self._socket)
        try:
            await link.request("hello", ANSWER, protocol=PROTOCOL, role="main")
            while not link.closed.is_set():
                async with self._turn:
                    answer = await link.request("keys", ANSWER, **_wire(self._keys))
                    await self._note(answer["rotation"])
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(WHILE_ROTATING if self._entry else PERIOD):
                        await link.closed.wait()
        finally:
            await link.close()

    async def offer(self, keys: MasterKeys) -> None:
        """Has the vault work with other keys from now on.

        Raises BackendError ``configuration`` if they do not open it, ``unavailable``: all is as it was.
        """
        link = VaultLink(self._socket, role="main")
        try:
            async with self._turn:
                answer = await link.request("keys", **_wire(keys))
                self._keys = keys
                with contextlib.suppress(BackendError):  # the next look enters it
                    await self._note(answer["rotation"])
        except RemoteError as error:
            reason = "configuration" if error.code == KEY_REFUSED else "unavailable"
            raise BackendError(reason, f"the vault: {error.message}") from None
        finally:
            await link.close()

    async def _note(self, rotation: Any) -> None:
        if self._entry is None and (rotation is not None or self._rotates):
            detail = {} if rotation is None else {"sessions": rotation["sessions"]}
            deed = Deed(Caller(DAEMON), ROTATE, "-", detail)
            self._entry = (await self._trail.begin(deed), deed)
            self._rotates = False
        if self._entry is not None:
            number, deed = self._entry
            if rotation is None:
                await self._trail.finish(number, deed, DONE)
                self._entry = None
            elif rotation["damaged"]:
                self._entry = number, replace(deed, detail={**deed.detail, "damaged": rotation["damaged"]})


def _wire(keys: MasterKeys) -> dict[str, Any]:
    return {"master": keys.master, "previous": list(keys.previous)}
