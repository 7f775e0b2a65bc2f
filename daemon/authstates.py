"""Export and import of auth states: under a generation of main's own, so that nobody else has them meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

from actors.connectors.baileys.authstate import BadAuthState, Device, check, read_device, unpacked, why_older
from actors.connectors.baileys.multifile import CREDS
from actors.connectors.baileys.packing import pack
from actors.connectors.protocol import ErrorCode
from actors.connectors.vaultlink import RETRY_SECONDS, SessionVault, VaultLink
from actors.masking import mask_text
from actors.runtime.limits import MAX_FRAME
from actors.runtime.rpc import RemoteError
from daemon.backend import BackendError, SessionLive, SessionRecord

CLOSING_PATIENCE: Final = 10.0
"""Seconds for the connection of a session that was just stopped to end."""
LOOK: Final = 0.05
"""Seconds between looks at it, and at a vault that has no key yet."""
FRAME_BYTES: Final = MAX_FRAME - 64 * 1024
"""Keys and values in one commit, deleted keys too; the rest of a frame is for what else a request holds."""
_ENTRY_OVERHEAD: Final = 16
"""Bytes, at least those by which msgpack says how long a key and its value are."""

TELL: Final = (10.0, 5.0)
"""Seconds to tell a session's actor, and of each attempt."""

Tell = Callable[[str, str, float, float], Awaitable[Any]]
"""Gives a session's actor a command, by name, patiently; raises BackendError."""


class LiveAuthStates:
    """Implements ``daemon.backend.AuthStates``."""

    def __init__(
        self, vault_socket: str, get: Callable[[str], SessionRecord], live: Callable[[str], SessionLive], tell: Tell
    ) -> None:
        self._socket = vault_socket
        self._get = get
        self._live = live
        self._tell = tell

    async def vault(self) -> Mapping[str, Any]:
        """See AuthStates."""
        link, loop = VaultLink(self._socket), asyncio.get_running_loop()
        end = loop.time() + RETRY_SECONDS
        try:
            while not (stats := await link.request("stats"))["open"]:  # it knows nothing of a rotation yet
                if loop.time() >= end:
                    raise BackendError("unavailable", "the vault waits for its master key")
                await asyncio.sleep(LOOK)
        except RemoteError as error:
            raise BackendError("unavailable", f"the vault: {error.message}") from None
        finally:
            await link.close()
        return {name: stats[name] for name in ("sealed", "rotation")}

    async def export(self, session: str) -> Mapping[str, bytes]:
        """See AuthStates."""
        async with self._taken(session) as (vault, _):
            entries = unpacked(await vault.load())
        await self._release(session)
        if CREDS not in entries:
            raise BackendError("conflict", f"session {session!r} is not paired: it has no auth state")
        return entries

    async def replace(self, session: str, entries: Mapping[str, bytes]) -> int:
        """See AuthStates."""
        with _refused():
            device = check(entries)
        try:
            changed = await self._replace(session, entries, device)
        except BackendError:
            await self._release(session)
            raise
        try:
            await self._tell(session, "auth_replaced", *TELL)
        except BackendError as error:
            told = "the auth state is stored, but the session's actor could not be told: import it again before a start"
            raise BackendError("unavailable", told) from error
        return changed

    async def _release(self, session: str) -> None:
        """Has the actor take a generation of its own again; one that was not told is replaced when it is started."""
        with contextlib.suppress(BackendError):
            await self._tell(session, "auth_read", *TELL)

    async def _replace(self, session: str, entries: Mapping[str, bytes], device: Device) -> int:
        async with self._taken(session) as (vault, paired):
            present = unpacked(await vault.load())
            if paired and read_device(present) != device:
                told = f"session {session!r} is paired as another device"
                remedy = "Log it out first, or remove it with its auth state; or import into a session of another id."
                raise BackendError("conflict", told, remedy=remedy)
            if paired and (why := why_older(entries, present)) is not None:
                told = f"what is imported is older than what session {session!r} has: {why}"
                raise BackendError("conflict", told, remedy="Nothing was changed. Start the session with what it has.")
            changed = {key: pack(text) for key, text in entries.items() if present.get(key) != text}
            gone = [key for key in present if key not in entries]
            await _store(vault, changed, gone, at_once=paired)
        return len(changed) + len(gone)

    @contextlib.asynccontextmanager
    async def _taken(self, session: str) -> AsyncIterator[tuple[SessionVault, bool]]:
        """The auth state under the next generation, and whether it is paired.

        A connection that there should not be loses it by that.
        """
        await self._at_rest(session)
        link = VaultLink(self._socket)
        try:
            vault = SessionVault(link, session)
            paired = await vault.claim(await link.reserve(session))
            yield vault, paired
        except BadAuthState as error:  # what is there; what is offered was checked before
            told = f"what session {session!r} has can't be read: {mask_text(str(error))}"
            remedy = "Remove the session with its auth state, then import."
            raise BackendError("conflict", told, remedy=remedy) from None
        except RemoteError as error:
            if error.code == ErrorCode.FENCED:
                told = f"session {session!r} was started meanwhile; stop it and try again"
                raise BackendError("conflict", told) from None
            if error.code == "full":
                raise BackendError("storage_full", "the disk of the vault is full: nothing was changed") from None
            raise BackendError("unavailable", f"the vault: {error.message}") from None
        finally:
            await link.close()

    async def _at_rest(self, session: str) -> None:
        record = self._get(session)
        if record.connector != "baileys":
            raise BackendError("conflict", f"session {session!r} is on the {record.connector}, not on Baileys")
        now = asyncio.get_running_loop().time
        end = now() + CLOSING_PATIENCE
        while (record := self._get(session)).enabled or self._live(session).state != "stopped":
            if record.enabled or now() > end:
                state = self._live(session).state
                told = f"session {session!r} is {state}; its auth state can only be taken while it is stopped"
                raise BackendError("conflict", told, remedy=f"Stop it: wavigil sessions stop {session}")
            await asyncio.sleep(LOOK)


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except BadAuthState as error:  # names of files hold phone numbers
        raise BackendError("invalid", mask_text(str(error)), remedy=error.remedy) from None


async def _store(vault: SessionVault, changed: Mapping[str, bytes], gone: list[str], *, at_once: bool) -> None:
    """One commit if it fits; else the credentials last, since without them nothing before them counts."""
    creds = {CREDS: changed[CREDS]} if CREDS in changed else {}
    parts = list(_parts({**changed, **dict.fromkeys(gone)}, creds)) or [{}]
    if at_once and len(parts) > 1:
        told = f"more than {FRAME_BYTES} bytes differ from what the session has, too much for one commit"
        raise BackendError("limit", told)
    for part in parts[:-1]:
        await vault.commit(*_set_and_deleted(part))
    await vault.commit(*_set_and_deleted(parts[-1]), paired=True, replaced=True)


_Part = dict[str, bytes | None]
"""Keys to values, or to None for those to be deleted."""


def _parts(changes: Mapping[str, bytes | None], last: Mapping[str, bytes]) -> Iterator[_Part]:
    part: _Part = {}
    size = 0
    for key, value in [*((key, value) for key, value in changes.items() if key not in last), *last.items()]:
        weight = len(key.encode()) + len(value or b"") + _ENTRY_OVERHEAD
        if part and size + weight > FRAME_BYTES:
            yield part
            part, size = {}, 0
        part[key] = value
        size += weight
    if part:
        yield part


def _set_and_deleted(part: _Part) -> tuple[dict[str, bytes], list[str]]:
    values = {key: value for key, value in part.items() if value is not None}
    return values, [key for key in part if key not in values]
