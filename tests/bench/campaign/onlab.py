"""Plays the world of real clients, on the lab server."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from tests.bench.campaign.kinds import Kind
from tests.bench.campaign.world import OUTSIDE
from tests.labclient import Lab


class OnLab:
    """The lab server, which real clients connect to."""

    def __init__(self, lab: Lab, phones: Mapping[str, str]) -> None:
        self.attempts: list[float] = []
        self._lab = lab
        self._phones = phones
        self._opening: asyncio.Task[None] | None = None
        self._watching = asyncio.create_task(self._watch())

    def can(self, kind: Kind) -> bool:
        return kind.scope != "session" or kind.lab is not None or bool(kind.policy)

    def lasts(self, kind: Kind) -> float:
        return kind.lasts_s if kind.after == "waits" else 0.0  # it refuses once

    async def strike(self, kind: Kind, session: str) -> float:
        phone = self._phones[session]
        if kind.refusal or kind.policy:
            await self._lab.account(phone, policy=kind.policy or None, login_failure=kind.refusal or None)
        if kind.lab is None:
            return time.time()
        return await self._lab.fault_at(**kind.lab, target=phone)

    async def cure(self, session: str) -> None:
        await self._lab.account(self._phones[session], login_failure="none", policy={"dropAck": False})

    async def scan(self, session: str, qr: str) -> None:
        await self._lab.scan(qr, self._phones[session])

    async def write_to(self, session: str) -> None:
        await self._lab.deliver(self._phones[session], OUTSIDE, "hello")

    async def cut(self, sessions: Sequence[str]) -> float:
        at = time.time()
        await asyncio.gather(*(self._lab.fault("reset", target=self._phones[session]) for session in sessions))
        return at

    async def shut(self, seconds: float) -> float:
        at = time.time()
        await self._lab.listen(on=False, kill=True)

        async def listen_again() -> None:
            await asyncio.sleep(seconds)
            await self._lab.listen(on=True)

        self._opening = asyncio.create_task(listen_again())
        return at

    async def close(self) -> None:
        tasks = [self._watching, *([self._opening] if self._opening else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self) -> None:
        since = 0
        while True:
            for entry in await self._lab.journal("upgrade", since=since, wait_s=20):
                since = entry.seq
                self.attempts.append(entry.t / 1000)
