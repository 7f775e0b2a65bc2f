"""Deleting the auth state of a session that is removed."""

import asyncio
import contextlib
from collections.abc import Iterator

from actors.connectors.protocol import ErrorCode
from actors.connectors.vaultlink import SessionVault, VaultLink
from actors.runtime.rpc import RemoteError
from daemon.backend import BackendError

ATTEMPTS = 10
"""Times that auth state is taken over from an actor which does not know yet that its session was removed."""
PAUSE = 0.2
"""Seconds between two of them."""


@contextlib.contextmanager
def purging(outcome: str) -> Iterator[None]:
    """Turns what the vault refuses into BackendError ``unavailable``; ``outcome`` says what has been done."""
    try:
        yield
    except RemoteError as error:
        raise BackendError("unavailable", f"{outcome}: {error.message}") from None


async def purge_auth(link: VaultLink, session: str) -> None:
    """Takes the auth state over, so that nobody else can write it, and deletes it.  Raises RemoteError."""
    for attempt in range(1, ATTEMPTS + 1):
        vault = SessionVault(link, session)
        try:
            await vault.claim(await link.reserve(session))
            await vault.reset()
        except RemoteError as error:
            if error.code != ErrorCode.FENCED or attempt == ATTEMPTS:
                raise
            await asyncio.sleep(PAUSE)  # its actor, which is about to end, took it back
        else:
            return
