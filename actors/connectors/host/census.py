"""What is known of one connector process: what it said last when it was asked, and how its memory grew."""

from typing import Any

from actors.connectors.fields import BadField
from actors.connectors.host.bloat import RUNS
from actors.connectors.host.process import ConnectorProcess
from actors.connectors.protocol import Stats
from actors.runtime.process import rss_bytes
from actors.runtime.rpc import Link, LinkClosed, RemoteError


class Census:
    """Of one process; empty until the first look."""

    def __init__(self) -> None:
        self.memory: tuple[int, ...] = ()
        """Resident memory in bytes, oldest first: measured from outside, so that also a hung process has one."""
        self._said: Stats | None = None

    async def look(self, process: ConnectorProcess, link: Link, patience: float) -> None:
        """Measures its memory, and asks how it is, for which it has ``patience`` seconds."""
        if (rss := rss_bytes(process.popen.pid)) is not None:
            self.memory = (*self.memory, rss)[-RUNS:]
        try:
            self._said = Stats.read(await link.request("stats", patience))
        except (LinkClosed, RemoteError, TimeoutError, BadField):
            return

    def report(self) -> dict[str, Any] | None:
        """For the supervision tree and the metrics: seconds, bytes, counts since the process began."""
        said = self._said
        if said is None or not self.memory:
            return None
        return {
            "residentBytes": self.memory[-1],
            "cpuSeconds": round(said.cpu_ms / 1000, 3),
            "eventLoopLagSeconds": round(said.lag_ms / 1000, 4),
            "sessions": said.sessions,
            "counts": dict(said.counts),
        }
