"""A connector's way to the vault: one link for the whole process, and a handle for each session's auth state.

Requests of one session go out one at a time, in the order in which they were asked for, also over a reconnection:
commits never overtake each other.  Requests of different sessions share the link side by side, so the vault can group
their commits.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from actors.connectors.protocol import PROTOCOL, ErrorCode
from actors.runtime.rpc import Link, LinkClosed, RemoteError

RETRY_SECONDS = 5.0
"""How long a request is tried again while the vault is away: from its beginning, or from when it lost the link."""
_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS = 30.0
"""A vault that is there but does not answer for so long counts as away; a slow disk does not."""


class VaultUnavailable(RemoteError):
    """The vault was away for longer than RETRY_SECONDS; whether the request took effect is not known."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.VAULT_UNAVAILABLE, "the vault can't be reached")


class VaultLink:
    """The one link of a process to the vault at ``path``; connects when it is first needed, and again when it broke."""

    def __init__(self, path: str, role: str = "connector") -> None:
        self._path = path
        self._role = role
        self._link: Link | None = None
        self._connecting = asyncio.Lock()

    async def request(self, cmd: str, **fields: Any) -> Any:
        """The vault's answer.  Raises VaultUnavailable, or RemoteError with the vault's own code.

        Every command of the vault may be repeated without harm, so a request whose answer was lost is sent again.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + RETRY_SECONDS if self._link is None or self._link.closed.is_set() else None
        while True:
            try:
                link = await self._connected()
                try:
                    return await link.request(cmd, _ANSWER_SECONDS, **fields)
                except TimeoutError:  # a link that lives is not asked twice: what is in it could be applied later
                    raise VaultUnavailable from None
            except (OSError, LinkClosed):  # OSError holds TimeoutError too
                deadline = deadline or now() + RETRY_SECONDS
                if now() >= deadline:
                    raise VaultUnavailable from None
            await asyncio.sleep(min(_PAUSE_SECONDS, max(0.0, deadline - now())))

    async def _connected(self) -> Link:
        async with self._connecting:
            if self._link is None or self._link.closed.is_set():
                link = await Link.connect(self._path)
                try:
                    await link.request("hello", RETRY_SECONDS, protocol=PROTOCOL, role=self._role)
                except BaseException:
                    link.abort()
                    raise
                self._link = link
            return self._link

    async def reserve(self, session: str) -> int:
        """The next fencing number of a session; takes nothing over."""
        answer = await self.request("reserve", session=session)
        return int(answer["generation"])

    async def close(self) -> None:
        """Ends the link."""
        if self._link is not None:
            await self._link.close()


class SessionVault:
    """One session's auth state, used under the generation that was claimed last."""

    __slots__ = ("_link", "_order", "generation", "session")

    def __init__(self, link: VaultLink, session: str) -> None:
        self._link = link
        self._order = asyncio.Lock()
        self.session = session
        self.generation = 0
        """0: nothing claimed yet."""

    async def claim(self, generation: int) -> bool:
        """Takes the auth state over and says whether it is paired.  Raises RemoteError ``fenced``, VaultUnavailable.

        Until the answer, later requests wait: none goes out under a generation that the vault has just replaced.
        A generation that is not higher than the one known is refused here: the vault takes an equal one.
        """
        async with self._order:
            if generation <= self.generation:
                raise RemoteError(ErrorCode.FENCED, f"generation {self.generation} has the session")
            answer = await self._link.request("claim", session=self.session, generation=generation)
            self.generation = generation
            return bool(answer["paired"])

    async def load(self) -> dict[str, bytes]:
        """All entries.  Raises RemoteError ``fenced``, VaultUnavailable."""
        entries: dict[str, bytes] = {}
        cursor: Any = None
        async with self._order:
            while True:
                page = await self._link.request("load", session=self.session, generation=self.generation, after=cursor)
                entries |= page["entries"]
                cursor = page["next"]
                if cursor is None:
                    return entries

    async def commit(
        self,
        entries: Mapping[str, bytes],
        delete: Iterable[str] = (),
        paired: bool | None = None,
        *,
        replaced: bool = False,
    ) -> None:
        """Returns when it is durable.  Raises RemoteError ``fenced``, ``full``, ``limit``, VaultUnavailable.

        ``replaced``: another auth state is in the place of the one before, and whoever reserves next is told so; also
        ``fenced`` when somebody has reserved since this one did.  A generation replaces once: what comes later is taken
        for a repetition, and changes nothing.
        """
        fields: dict[str, Any] = {"set": dict(entries), "del": list(delete)}
        if paired is not None:
            fields["paired"] = paired
        if replaced:
            fields["replaced"] = True
        async with self._order:
            await self._link.request("commit", session=self.session, generation=self.generation, **fields)

    async def reset(self) -> None:
        """Deletes all entries.  Raises RemoteError ``fenced``, VaultUnavailable."""
        async with self._order:
            await self._link.request("reset", session=self.session, generation=self.generation)
