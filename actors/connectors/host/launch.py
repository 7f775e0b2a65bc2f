"""What a connector process is started with."""

from dataclasses import dataclass
from typing import Any

from actors.connectors.baileys import launch as baileys
from actors.connectors.host.bloat import Bounds
from actors.connectors.host.process import (
    ConnectorFailed,
    ConnectorProcess,
    scrubbed_environment,
    simulator_command,
)
from actors.connectors.protocol import Admission, StartLine
from actors.settings import SOCKET_VAULT, Settings, connector_options


@dataclass(frozen=True, slots=True)
class Place:
    """Which connector a host runs, and among how many hosts with the same one."""

    connector: str
    shards: int


def admission(settings: Settings, connector: str, shards: int) -> Admission:
    """The bounds of one of ``shards`` hosts with that connector."""
    section = settings.connectors.of(connector)
    # without a lease from recovery a host takes its equal share: the fleet's bound holds with nobody in charge
    share = section.connects_per_second / max(1, shards)
    return Admission(share, burst=max(1, round(share)), pairings=2)


def options(settings: Settings, connector: str) -> dict[str, Any]:
    """The options of its connector process."""
    return connector_options(settings.connectors, connector, settings.ack_timeout)


async def start(settings: Settings, name: str, place: Place, *, socket: str, threads: bool = False) -> ConnectorProcess:
    """Starts a connector process of the host ``name``, which listens on ``socket``.  Raises ConnectorFailed."""
    connector = place.connector
    line = StartLine(
        connector=connector,
        socket=socket,
        vault=settings.socket(SOCKET_VAULT),
        host=name,
        options=options(settings, connector),
        admission=admission(settings, connector, place.shards),
    )
    if connector == "baileys":
        if settings.node is None:
            raise ConnectorFailed("no Node.js of version 20 or later was found: `make setup` installs one")
        environment = baileys.environment(settings.connectors.baileys.heap_limit)
        return await ConnectorProcess.start(baileys.command(settings.node), environment, line, threads=threads)
    if connector == "external":
        command = settings.connectors.external.command
        if not command:
            raise ConnectorFailed("connectors.external.command is not set")
        return await ConnectorProcess.start(command, scrubbed_environment(), line, threads=threads)
    return await ConnectorProcess.start(simulator_command(), scrubbed_environment(), line, threads=threads)


def bounds(settings: Settings, connector: str) -> Bounds:
    """The bounds of its memory."""
    if connector != "baileys":
        return Bounds()
    section = settings.connectors.baileys
    return Bounds(section.recycle_memory, section.memory_limit)
