"""Plays the world of simulated sessions, on a link of its own to each simulator process."""

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.connectors.protocol import PROTOCOL
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, RemoteError
from tests.bench.campaign.kinds import Kind
from tests.bench.campaign.world import OUTSIDE

RETRY_S = 0.02
PATIENCE_S = 30.0


@dataclass
class Drill:
    """A link to one simulator process, for the time that the process lives."""

    socket: Path
    attempts: list[float]
    link: Link | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, cmd: str, **fields: Any) -> dict[str, Any]:
        """The answer to a command, from the process that runs now or the next one."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                link = await self._linked()
                return dict(await link.request(cmd, **fields))
            except (OSError, RemoteError, TimeoutError):
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(RETRY_S)

    async def keep(self) -> None:
        """Stays linked for ever, so as to be told of every attempt."""
        while True:
            with suppress(OSError, RemoteError, TimeoutError):
                await (await self._linked()).closed.wait()
            await asyncio.sleep(RETRY_S)

    async def _linked(self) -> Link:
        async with self._turn:
            if self.link is None or self.link.closed.is_set():
                link = await Link.connect(str(self.socket), on_event=self._told)
                try:
                    await link.request("hello", protocol=PROTOCOL, role="drill")
                except BaseException:
                    link.abort()
                    raise
                self.link = link
            return self.link

    def _told(self, _: Link, frame: Frame) -> None:
        if frame["ev"] == "attempt":
            self.attempts.append(frame["at"] / 1000)


class Simulated:
    """All simulator processes of a daemon; sessions stay where they are placed."""

    def __init__(self, state_dir: Path) -> None:
        self.attempts: list[float] = []
        self._shards = placement(state_dir)
        names = sorted(set(self._shards.values()))
        self._drills = {name: Drill(state_dir / f"{name}.connector.sock", self.attempts) for name in names}
        self._keeping = [asyncio.create_task(drill.keep()) for drill in self._drills.values()]
        self._letters = itertools.count()

    def can(self, kind: Kind) -> bool:
        return kind.scope != "session" or kind.simulated is not None

    def lasts(self, kind: Kind) -> float:
        return kind.lasts_s

    async def strike(self, kind: Kind, session: str) -> float:
        assert kind.simulated is not None
        return await self._fault(session, kind.simulated)

    async def cure(self, session: str) -> None:
        await self._of(session).ask("clear", session=session)

    async def cure_all(self) -> None:
        """Ends whatever lasts, everywhere."""
        await asyncio.gather(*(drill.ask("clear", session="*") for drill in self._drills.values()))

    async def scan(self, session: str, qr: str) -> None:
        await self._of(session).ask("scan", session=session, qr=qr)

    async def write_to(self, session: str) -> None:
        letter: dict[str, Any] = {"messageId": f"L{next(self._letters)}", "from": OUTSIDE, "text": "hello"}
        await self._of(session).ask("deliver", session=session, **letter)

    async def cut(self, sessions: Sequence[str]) -> float:
        return min(await asyncio.gather(*(self._fault(session, {"fault": "drop"}) for session in sessions)))

    async def shut(self, seconds: float) -> float:
        fault: dict[str, Any] = {"session": "*", "fault": "network", "for_s": seconds}
        answers = await asyncio.gather(*(drill.ask("fault", **fault) for drill in self._drills.values()))
        return float(min(answer["at"] for answer in answers) / 1000)

    async def close(self) -> None:
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        for drill in self._drills.values():
            if drill.link is not None:
                drill.link.abort()

    async def _fault(self, session: str, fault: Mapping[str, Any]) -> float:
        answer = await self._of(session).ask("fault", session=session, **fault)
        return float(answer["at"]) / 1000

    def _of(self, session: str) -> Drill:
        return self._drills[self._shards[session]]


def placement(state_dir: Path) -> dict[str, str]:
    """Which shard each session is in."""
    with closing(sqlite3.connect(f"file:{state_dir}/api.db?mode=ro", uri=True)) as conn:
        return {session: f"shard-{shard}" for session, shard in conn.execute("SELECT session, shard FROM placement")}
