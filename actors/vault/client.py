"""What a session actor needs of the vault: its next generation."""

import asyncio
from dataclasses import dataclass

import tenacity

from actors.runtime.rpc import Link, RemoteError
from actors.vault.requests import PROTOCOL

_LASTING = frozenset({"bad_request", "unknown_command", "unsupported_protocol", "fenced", "limit"})
"""Refusals that trying again does not change."""


class VaultUnavailable(Exception):
    """The vault could not be reached, or could not store, until the deadline."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a session actor is told when it reserves."""

    generation: int
    """The session's own from now on."""
    replaced: int = 0
    """The generation under which main last put another auth state in its place; 0: never."""


async def reserve(socket_path: str, session: str, deadline: float) -> Reservation:
    """Reserves the session's next generation; tries again with back-off for ``deadline`` seconds.

    Raises VaultUnavailable after the deadline, RemoteError when the vault refuses for good.
    """
    retrying = tenacity.AsyncRetrying(
        stop=tenacity.stop_before_delay(deadline),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=1.0),
        retry=tenacity.retry_if_exception(_may_pass),
        reraise=True,
    )
    try:
        async with asyncio.timeout(deadline):
            return await retrying(_reserve_once, socket_path, session, deadline)
    except (OSError, TimeoutError, RemoteError) as error:
        if _may_pass(error):
            why = str(error) or "no answer"
            raise VaultUnavailable(f"no generation within {deadline:g} s: {why}") from error
        raise


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, RemoteError):
        return error.code not in _LASTING
    return isinstance(error, OSError | TimeoutError)


async def _reserve_once(socket_path: str, session: str, deadline: float) -> Reservation:
    link = await Link.connect(socket_path)
    try:
        await link.request("hello", deadline=deadline, protocol=PROTOCOL, role="session")
        answer = await link.request("reserve", deadline=deadline, session=session)
        return Reservation(int(answer["generation"]), int(answer["replaced"]))
    finally:
        await link.close()
