"""One peer of the vault: reads requests in order, writes answers as they become durable.

Back-pressure is by not reading: a peer that has too much under way, or does not read its answers, is not read
either.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from actors.runtime import frames
from actors.runtime.frames import Frame, FrameError
from actors.store.errors import StoreError
from actors.vault.commit import GroupCommit
from actors.vault.errors import BadRequest, MasterKeyError, UnsupportedProtocol, VaultError
from actors.vault.keyring import MasterKeys
from actors.vault.requests import PROTOCOL, parse, parse_keys
from actors.vault.storage import Answer

HELLO_DEADLINE: Final = 10.0
"""Seconds in which a peer must introduce itself."""
MAX_UNDER_WAY: Final = 8 * 1024 * 1024
"""Bytes of requests of one link that may wait for their answers."""
KEY_REFUSED: Final = "master_key"
"""Error code of keys that do not open the vault; they are main's, a connector never sees it."""
_MAIN: Final = "main"
_ROLES: Final = frozenset({"connector", "session", _MAIN})


class VaultLink:
    """A connected peer; ``run`` returns when it is gone.

    ``stats`` gives the answer to that command, ``adopt`` takes the master keys that main offers.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        commits: GroupCommit,
        stats: Callable[[], dict[str, Any]],
        adopt: Callable[[MasterKeys], Awaitable[None]],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._commits = commits
        self._stats = stats
        self._adopt = adopt
        self._role = ""
        self.under_way = 0
        """Bytes of requests that wait for their answers."""
        self._answered = asyncio.Event()
        self.ended = asyncio.Event()
        """Set when `run` is over."""

    async def run(self) -> None:
        """Serves the peer.  What is malformed ends this link and nothing else."""
        try:
            async with asyncio.timeout(HELLO_DEADLINE):
                greeted = await self._greet()
            while greeted and (frame := await frames.read(self._reader)) is not None:
                await self._accept(frame)
                await self._writer.drain()
            while self.under_way:  # a peer may end its side and still wait for the last answers
                await self._next_answer()
            await self._writer.drain()
        except (FrameError, TimeoutError, OSError):
            self._writer.transport.abort()
        finally:
            self._writer.close()
            self.ended.set()

    def close(self) -> None:
        """Reads no further; what is written still goes out."""
        self._writer.close()

    def abort(self) -> None:
        """Ends the link at once."""
        self._writer.transport.abort()

    async def _greet(self) -> bool:
        frame = await frames.read(self._reader)
        if frame is None:
            return False
        if frame.get("cmd") != "hello":
            raise FrameError("the first frame must be hello")
        number = _number(frame)
        if frame.get("protocol") != PROTOCOL:
            self._refuse(number, UnsupportedProtocol(f"this vault speaks protocol {PROTOCOL}"))
            return False
        if frame.get("role") not in _ROLES:
            self._refuse(number, BadRequest("role must be connector or session"))
            return False
        self._role = frame["role"]
        self._send({"re": number, "ok": {"protocol": PROTOCOL}})
        return True

    async def _accept(self, frame: Frame) -> None:
        number = _number(frame)
        if frame.get("cmd") == "stats":
            self._send({"re": number, "ok": self._stats()})
            return
        if frame.get("cmd") == "keys" and self._role == _MAIN:
            await self._take_keys(number, frame)
            return
        try:
            request = parse(frame)
        except VaultError as error:
            self._refuse(number, error)
            return
        while self.under_way > MAX_UNDER_WAY:
            await self._next_answer()
        await self._commits.room()
        self.under_way += request.weight
        self._commits.submit(request).add_done_callback(partial(self._answer, number, request.weight))

    async def _take_keys(self, number: int, frame: Frame) -> None:
        try:
            await self._adopt(parse_keys(frame))
        except MasterKeyError as error:
            self._send({"re": number, "err": {"code": KEY_REFUSED, "message": str(error)}})
        except VaultError as error:
            self._refuse(number, error)
        except StoreError as error:
            self._refuse(number, VaultError(str(error)))
        else:
            self._send({"re": number, "ok": self._stats()})

    async def _next_answer(self) -> None:
        self._answered.clear()
        await self._answered.wait()

    def _answer(self, number: int, weight: int, done: asyncio.Future[Answer]) -> None:
        self.under_way -= weight
        self._answered.set()
        error = done.exception()
        if error is None:
            self._send({"re": number, "ok": done.result()})
        elif isinstance(error, VaultError):
            self._refuse(number, error)

    def _refuse(self, number: int, error: VaultError) -> None:
        self._send({"re": number, "err": {"code": error.code, "message": str(error)}})

    def _send(self, message: Frame) -> None:
        if not self._writer.is_closing():
            self._writer.write(frames.encode(message))


def _number(frame: Frame) -> int:
    number = frame.get("id")
    if type(number) is not int or number < 0:
        raise FrameError("a request must have an unsigned integer as its id")
    return number
