"""What an operator does over HTTP: sends, looks, and helps where a cause asks for it."""

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp

from tests.bench.campaign.kinds import Kind
from tests.bench.campaign.world import OUTSIDE, World
from tests.fixtures_daemon import Daemon

TRIES = 50
PAUSE_S = 0.2


class Operator:
    """Patient: a daemon of which a part is being restarted is asked again."""

    def __init__(self, daemon: Daemon, world: World) -> None:
        self._daemon = daemon
        self._world = world

    async def help(self, kind: Kind, session: str) -> None:
        """Ends what lasts, and does what the cause asks for."""
        await self._world.cure(session)
        if kind.pairs:
            answer = await self._ask("GET", f"/api/sessions/{session}/pairing?wait=10s")
            if "qr" in answer:
                await self._world.scan(session, answer["qr"])
        else:
            await self._ask("POST", f"/api/whatsapp-status/{session}/reconnect")

    async def send(self, session: str, number: int) -> None:
        """One text to somebody outside; nobody waits for it."""
        body = {"id": f"campaign-{number}", "to": OUTSIDE, "text": "hello", "wait": "0s"}
        await self._ask("POST", f"/api/sessions/{session}/messages", json=body)

    async def status(self, session: str) -> str | None:
        """The status that HTTP shows; None if it shows none."""
        status = (await self._ask("GET", f"/api/whatsapp-status/{session}")).get("status")
        return None if status is None else str(status)

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        body: Any = {}
        for _ in range(TRIES):
            with suppress(aiohttp.ClientError):
                status, body = await self._daemon.call(method, path, **options)
                if status < 400:
                    break
            await asyncio.sleep(PAUSE_S)
        return body if isinstance(body, dict) else {}
