"""The part of the configuration on what connects sessions to WhatsApp."""

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from config import rules
from config.durations import Span
from config.schema_simulator import SimulatorProfile
from config.section import Rule, Section, Sequence, Text
from config.sizes import SizeRange
from config.versions import ClientVersion

Heartbeat = Annotated[float, Span("50ms", "5m")]
SessionsPerHost = Annotated[int, Field(ge=1, le=50)]
"""Measured: 32 to 50 sockets are what one Node process carries well."""

ConnectsPerSecond = Annotated[float, Field(gt=0, le=1000)]
SpareAfter = Annotated[float, Span("100ms", "1d")]

WebsocketUrl = Annotated[
    str,
    Text(rules.check_websocket_url, "a URL such as wss://web.whatsapp.com/ws/chat, or ws:// to loopback"),
]
NoiseRootKey = Annotated[
    str,
    Text(rules.check_noise_root_key, "a public key in 64 hexadecimal digits", pattern="^[0-9a-fA-F]{64}$"),
]


def _none_is_no_option(value: object) -> object:
    return {} if value is None else value


class Baileys(Section):
    """The real client."""

    websocket_url: WebsocketUrl = "wss://web.whatsapp.com/ws/chat"
    """The WhatsApp server."""

    noise_root_key: NoiseRootKey | None = None
    """The public key that signs the server's certificates, for a server of one's own; null is WhatsApp's."""

    client_version: ClientVersion | None = None
    """The version of WhatsApp Web that the client says it is; null is what came with the client."""

    sessions_per_host: SessionsPerHost = 32
    """Sessions that share one connector process."""

    heartbeat: Heartbeat = 10.0
    """How often each open connection is pinged; it is also how often its round-trip time is measured."""

    heartbeat_timeout: Heartbeat = 8.0
    """How long the answer may take before the connection counts as half-open and is closed."""

    connects_per_second: ConnectsPerSecond = 5.0
    """New connections of the whole fleet, start-up included."""

    connects_per_second_per_host: ConnectsPerSecond | None = None
    """New connections of one connector process; null is no bound but the fleet's."""

    open_deadline: Annotated[float, Span("1s", "10m")] = 45.0
    """How long a connection may take from its start until it is open."""

    standing_every: Annotated[float, Span("1s", "1d")] = 900.0
    """How often an open session asks what WhatsApp lets its account do: time lock, new chats."""

    pairing_timeout: Annotated[float, Span("1s", "1h")] = 300.0
    """How long a session waits to be paired by QR or code before it stops asking."""

    heap_limit: Annotated[int, SizeRange("64MiB", "16384MiB")] = 512 * 2**20
    """How much JavaScript heap a connector process may have (`--max-old-space-size` of Node.js)."""

    spare_after: SpareAfter | None = None
    """When nothing connects for this long, a second connector process is started beside each one, and waits to take its
    place should it die: sessions are back sooner, for the memory that it takes.  Null: there is none."""

    recycle_memory: Annotated[int, SizeRange("64MiB", "16384MiB")] = 512 * 2**20
    """Resident memory of a connector process above which a fresh one takes its sessions over, one after the other."""

    memory_limit: Annotated[int, SizeRange("64MiB", "65536MiB")] = 1024 * 2**20
    """Resident memory above which a connector process is killed; all its sessions reconnect."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (
        Rule(("heartbeat", "heartbeat_timeout"), rules.answered_in_time),
        Rule(("recycle_memory", "memory_limit"), rules.recycled_before_killed),
    )


class Simulator(Section):
    """The built-in simulator, for trying out and for tests."""

    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 1
    """The same seed gives the same latencies and drops."""

    sessions_per_host: SessionsPerHost = 32
    """Sessions that share one connector process."""

    heartbeat: Heartbeat = 10.0
    """How often each open connection is pinged."""

    heartbeat_timeout: Heartbeat = 8.0
    """How long the answer may take before the connection counts as half-open and is closed."""

    connects_per_second: ConnectsPerSecond = 50.0
    """New connections of the whole fleet, start-up included."""

    connects_per_second_per_host: ConnectsPerSecond | None = None
    """New connections of one connector process; null is no bound but the fleet's."""

    spare_after: SpareAfter | None = None
    """When nothing connects for this long, a second connector process is started beside each one, and waits to take its
    place should it die: sessions are back sooner, for the memory that it takes.  Null: there is none."""

    profile: SimulatorProfile = Field(default_factory=SimulatorProfile)
    """How every simulated session behaves that says nothing else."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (Rule(("heartbeat", "heartbeat_timeout"), rules.answered_in_time),)


class External(Section):
    """A connector of your own: a program that speaks the connector protocol (docs/connector-protocol.md)."""

    command: Sequence[Annotated[str, Field(min_length=1)]] = ()
    """The program and its arguments; it is looked for in PATH. Empty: there is none."""

    options: Annotated[dict[str, Any], BeforeValidator(_none_is_no_option)] = Field(default_factory=dict)
    """Passed on to it as they are. `check-config` shows them, so a secret belongs into a file that they name."""

    sessions_per_host: SessionsPerHost = 32
    """Sessions that share one connector process."""

    heartbeat: Heartbeat = 10.0
    """How often it pings each open connection."""

    heartbeat_timeout: Heartbeat = 8.0
    """How long the answer may take before it counts the connection as half-open and closes it."""

    connects_per_second: ConnectsPerSecond = 5.0
    """New connections of the whole fleet, start-up included."""

    connects_per_second_per_host: ConnectsPerSecond | None = None
    """New connections of one connector process; null is no bound but the fleet's."""

    open_deadline: Annotated[float, Span("1s", "10m")] = 45.0
    """How long a connection may take from its start until it is open."""

    spare_after: SpareAfter | None = None
    """When nothing connects for this long, a second connector process is started beside each one, and waits to take its
    place should it die: sessions are back sooner, for the memory that it takes.  Null: there is none."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (Rule(("heartbeat", "heartbeat_timeout"), rules.answered_in_time),)


class Connectors(Section):
    """A section a connector."""

    baileys: Baileys = Field(default_factory=Baileys)
    simulator: Simulator = Field(default_factory=Simulator)
    external: External = Field(default_factory=External)

    def of(self, connector: str) -> Baileys | Simulator | External:
        """The section of the connector of that name.  Raises KeyError."""
        sections: dict[str, Baileys | Simulator | External] = {
            "baileys": self.baileys,
            "simulator": self.simulator,
            "external": self.external,
        }
        return sections[connector]
