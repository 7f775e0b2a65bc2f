"""What a connector process is started with."""

import contextlib
import logging
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.connectors.baileys import launch as baileys
from actors.connectors.host.bloat import Bounds
from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.host.process import (
    READY_PATIENCE,
    ConnectorProcess,
    scrubbed_environment,
    simulator_command,
)
from actors.connectors.protocol import Admission, StartLine
from actors.settings import SOCKET_VAULT, Settings, connector_options

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Which connector a host runs, and which share (0-1) of the fleet's bound on connects it has."""

    connector: str
    share: float


LEAST = 0.01
"""Connects per second of a host that has no sessions."""
SPARE_PATIENCE = 5.0
"""Seconds for a spare to be ready: it is loaded, and another one would be there by then."""
PAIRINGS = 2
"""Pairings of one host that may be at their costly part at a time."""


def admission(settings: Settings, connector: str, share: float) -> Admission:
    """The bounds of a host with that share of the fleet's; they hold in a connector that does not wait for its host."""
    bound, own = bounds_on_connects(settings, connector)
    rate = bound * share if share > 0 else min(LEAST, bound)
    rate = rate if own is None else min(rate, own)
    return Admission(rate, burst=1, pairings=PAIRINGS, by_host=True)


def bounds_on_connects(settings: Settings, connector: str) -> tuple[float, float | None]:
    """Connects per second of the whole fleet, and of one host: None, no bound of its own."""
    section = settings.connectors.of(connector)
    return section.connects_per_second, section.connects_per_second_per_host


def options(settings: Settings, connector: str) -> dict[str, Any]:
    """The options of its connector process."""
    return connector_options(settings.connectors, connector, settings.ack_timeout)


@dataclass(frozen=True, slots=True)
class Program:
    """What is executed."""

    connector: str
    command: Sequence[str]
    environment: Mapping[str, str]

    def stamp(self) -> tuple[tuple[str, int, int, int], ...]:
        """Tells one state of its files on disk from another: path, inode, size and time of change in ns of each.

        Of the bridge all of its own modules and the record of what is installed below it; of others those words of
        the command that name a file.
        """
        words = [shutil.which(self.command[0]) or self.command[0], *self.command[1:]]
        files = [Path(word) for word in words]
        if self.connector == "baileys":
            files += [*sorted(baileys.MAIN.parent.glob("*.mjs")), baileys.INSTALLED]
        found = []
        for file in files:
            with contextlib.suppress(OSError, ValueError):
                status = file.stat()
                if stat.S_ISREG(status.st_mode):
                    found.append((str(file), status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(found)


def program(settings: Settings, connector: str) -> Program:
    """Raises ConnectorFault where there is none."""
    if connector == "baileys":
        if settings.node is None:
            why = "no Node.js of version 20 or later was found: `make setup` installs one"
            raise ConnectorFault(FaultKind.NOT_STARTED, why)
        environment = baileys.environment(settings.connectors.baileys.heap_limit)
        return Program(connector, tuple(baileys.command(settings.node)), environment)
    command = simulator_command() if connector == "simulator" else settings.connectors.external.command
    if not command:
        raise ConnectorFault(FaultKind.NOT_STARTED, "connectors.external.command is not set")
    return Program(connector, tuple(command), scrubbed_environment())


async def start(
    settings: Settings,
    name: str,
    place: Place,
    *,
    socket: str,
    threads: bool = False,
    spare: ConnectorProcess | None = None,
) -> ConnectorProcess:
    """Starts a connector process of the host ``name``, which listens on ``socket``.  Raises ConnectorFault.

    ``spare``: one that waits for its start line; if it does not take it, another one is started.
    """
    connector = place.connector
    line = StartLine(
        connector=connector,
        socket=socket,
        vault=settings.socket(SOCKET_VAULT),
        host=name,
        options=options(settings, connector),
        admission=admission(settings, connector, place.share),
    )
    if spare is not None:
        try:
            await spare.begin(line, SPARE_PATIENCE)
        except ConnectorFault as fault:
            log.warning("%s: the spare connector process is of no use: %s", name, fault)
        else:
            return spare
    it = program(settings, connector)
    # a host that takes longer to start is ended by its supervisor, and then nobody tells why
    patience = max(READY_PATIENCE, settings.beats.timeout / 2)
    return await ConnectorProcess.start(it.command, it.environment, line, threads=threads, patience=patience)


def bounds(settings: Settings, connector: str) -> Bounds:
    """The bounds of its memory."""
    if connector != "baileys":
        return Bounds()
    section = settings.connectors.baileys
    return Bounds(section.recycle_memory, section.memory_limit)
