"""What 1,000 sessions cost the API: `python -m tests.bench.api [SESSIONS]` prints milliseconds."""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from aiohttp.test_utils import TestClient

from daemon.api import Role, build_app, render
from daemon.api.models_status import SessionStatusPage
from daemon.backend import SessionRecord
from daemon.metrics.exporter import Exporter
from tests.bench.machine import end_on_sigterm
from tests.fixtures_api import TOKENS, ApiServer, settings
from tests.memory_backend import MemoryBackend

ROUNDS = 20


def fleet(sessions: int) -> MemoryBackend:
    """Sessions with everything that a status can have."""
    backend = MemoryBackend()
    for number in range(sessions):
        session = f"session-{number:04}"
        backend.seed(SessionRecord(session, "simulator", {"team": "support", "region": "eu"}))
        backend.set_live(
            session,
            cause="connection_closed",
            code=428,
            message="The connection ended.",
            remedy="None: it reconnects by itself.",
            detail={"causeAt": 1769847330.125},
            components={
                name: {"points": 24, "max": 25, "evidenceAgeSeconds": 3.2, "why": "answered"}
                for name in ("connection", "roundTrip", "acknowledgements", "errors")
            },
            counts=dict.fromkeys(("sent", "acknowledged", "failed", "received", "disconnects"), 12),
        )
    return backend


async def measure(name: str, act: Callable[[], Awaitable[int]]) -> None:
    """Print median and worst of some rounds, and the bytes of the answer."""
    times = []
    size = 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        size = await act()
        times.append((time.perf_counter() - began) * 1000)
    print(f"{name:34} median {statistics.median(times):7.1f} ms   worst {max(times):7.1f} ms   {size:>9,} bytes")


async def main(sessions: int) -> None:
    """All figures."""
    backend = fleet(sessions)
    exporter = Exporter(backend, "1.2.3", lambda: None)

    async def serialise() -> int:
        page = [render.status(record, backend.live(id_)) for id_, record in backend.records().items()]
        model = SessionStatusPage(sessions=page, next_cursor=None, total=len(page))
        return len(model.model_dump_json().encode())

    async def metrics() -> int:
        return len(exporter.render())

    async def metrics_gzip() -> int:
        return len(exporter.render_gzip())

    async with TestClient(ApiServer(build_app(backend, settings(), exporter))) as client:

        async def get(path: str, encoding: str = "identity") -> int:
            headers = {"Authorization": f"Bearer {TOKENS[Role.VIEWER]}", "Accept-Encoding": encoding}
            async with client.get(path, headers=headers) as response:
                response.raise_for_status()
                return len(await response.read())

        await measure(f"serialise {sessions} statuses", serialise)
        await measure("render metrics", metrics)
        await measure("render metrics, gzip", metrics_gzip)
        await measure("GET …/bulk?limit=1000", lambda: get("/api/whatsapp-status/bulk?limit=1000"))
        await measure("GET …/bulk (100)", lambda: get("/api/whatsapp-status/bulk"))
        await measure("GET …/health-summary", lambda: get("/api/whatsapp-status/health-summary"))
        await measure("GET …/session-0001", lambda: get("/api/whatsapp-status/session-0001"))
        await measure("GET /metrics", lambda: get("/metrics"))


if __name__ == "__main__":
    end_on_sigterm()
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
