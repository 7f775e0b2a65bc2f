"""What a fleet needs of the machine.  Pure.

The figures were measured with 40 simulated sessions in 2 and in 10 shards (descriptors, threads and PSS of every
process), and of the bridge with two Baileys sessions.
"""

from dataclasses import dataclass

OWN_PROCESSES = 12
"""main, keeper, launcher, admin, logger, root, services, fleet, and four services."""
SHARD_PROCESSES = 3
"""Supervisor, host, connector."""
TASKS_FIXED = 24
"""Threads of those that there are once, main's pool included."""
TASKS_SHARD = 8
"""Processes and database threads that a shard brings along: 3 in its host, one each in main, health and recovery."""
TASKS_NODE = 10
"""Threads of a Node.js process beside its first."""
FILES_FIXED = 64
FILES_SHARD = 5
"""Health and recovery each have the database of a shard open: file, WAL, index, and what a thread needs."""
FILES_SESSION = 4
"""A shard's supervisor holds about three descriptors for each of its sessions, and its last child inherits them."""
MEMORY_FIXED = 250_000_000
MEMORY_SHARD = 45_000_000
"""PSS of supervisor, host and simulator, in bytes."""
MEMORY_BRIDGE = 170_000_000
"""More than that, if the connector is Node.js: it stays under 200 MB with 32 sessions."""
MEMORY_SESSION = 12_000_000
MEMORY_SPARE = 70_000_000
"""PSS of a Node.js process that has loaded all, and waits."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is configured or was added over the API."""

    baileys: int
    simulator: int
    baileys_per_host: int
    simulator_per_host: int
    requests: int
    """Connections that the API may serve at a time: tokens times ``http.max_concurrent``."""
    external: int = 0
    external_per_host: int = 1
    spares: frozenset[str] = frozenset()
    """Connectors whose hosts keep a spare process."""

    @property
    def sessions(self) -> int:
        """All sessions."""
        return self.baileys + self.simulator + self.external

    @property
    def bridges(self) -> int:
        """Node.js processes."""
        return -(-self.baileys // self.baileys_per_host)

    @property
    def shards(self) -> int:
        """Shards of all connectors."""
        return self.bridges + self._simulators + self._externals

    @property
    def processes(self) -> int:
        """Processes in all."""
        return OWN_PROCESSES + SHARD_PROCESSES * self.shards + self.waiting + self.sessions

    @property
    def waiting(self) -> int:
        """Connector processes that are kept as spares."""
        by_connector = {"baileys": self.bridges, "simulator": self._simulators, "external": self._externals}
        return sum(number for connector, number in by_connector.items() if connector in self.spares)

    @property
    def _simulators(self) -> int:
        return -(-self.simulator // self.simulator_per_host)

    @property
    def _externals(self) -> int:
        return -(-self.external // self.external_per_host)

    @property
    def tasks(self) -> int:
        """Processes and their threads, which is what the kernel's limits count."""
        nodes = self.bridges * (2 if "baileys" in self.spares else 1)
        return TASKS_FIXED + TASKS_SHARD * self.shards + TASKS_NODE * nodes + self.waiting + self.sessions

    @property
    def open_files(self) -> int:
        """Descriptors of the process that has the most of them."""
        per_host = max(
            self.baileys_per_host if self.baileys else 0,
            self.simulator_per_host if self.simulator else 0,
            self.external_per_host if self.external else 0,
        )
        return FILES_FIXED + FILES_SHARD * self.shards + max(FILES_SESSION * per_host, self.requests)

    @property
    def memory(self) -> int:
        """Bytes in all (PSS)."""
        per_shard = MEMORY_SHARD * self.shards + MEMORY_BRIDGE * self.bridges
        return MEMORY_FIXED + per_shard + MEMORY_SPARE * self.waiting + MEMORY_SESSION * self.sessions
