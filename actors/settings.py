"""What the actors need of the configuration: one picklable record that travels down the tree.

API tokens are not in it: a session actor has no use for them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from actors.runtime.liveness import Beats
from actors.vault.keyring import MasterKeys
from config.schema import Config, Vault
from config.schema_actors import Health, Recovery, Supervision
from config.schema_connectors import Connectors
from config.secrets import Secret
from config.section import Section

SOCKET_GATEWAY = "gateway.sock"
SOCKET_VAULT = "vault.sock"


@dataclass(frozen=True, slots=True)
class Tuning:
    """The settings that a reload of the configuration may change while the actors run."""

    log_level: str
    """debug, info, warning, error"""
    supervision: Supervision
    recovery: Recovery
    health: Health
    connectors: Connectors
    ack_timeout: float
    sends_keep: float
    events_keep: float
    node: str | None

    def to_wire(self) -> dict[str, Any]:
        """As plain data."""
        values = ((item.name, getattr(self, item.name)) for item in fields(self))
        return {name: value.model_dump() if isinstance(value, Section) else value for name, value in values}

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> "Tuning":
        """The inverse.  Raises KeyError, TypeError or ValueError for something else."""
        return cls(**{**wire, **{name: section.model_validate(wire[name]) for name, section in _SECTIONS.items()}})


_SECTIONS: dict[str, type[Section]] = {
    "supervision": Supervision,
    "recovery": Recovery,
    "health": Health,
    "connectors": Connectors,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Times are seconds."""

    state_dir: Path
    runtime_dir: Path
    supervision: Supervision
    recovery: Recovery
    health: Health
    connectors: Connectors
    ack_timeout: float
    sends_keep: float
    """How long the state of a message can be asked for."""
    events_keep: float
    """How long events are kept for consumers that were away, and episodes that have ended."""
    audit_keep: float
    """How long entries of the audit log are kept."""
    node: str | None
    """Path of the Node.js binary; None where no session needs one."""
    log_level: str
    vault_keys: MasterKeys
    """SHA-256 of each configured master key (32 bytes, whatever its text is); given to the vault only."""

    @property
    def beats(self) -> Beats:
        """How the processes that supervise nobody, or are supervised by nobody, are watched."""
        return Beats(self.supervision.heartbeat, self.supervision.heartbeat_timeout)

    @property
    def shutdown_timeout(self) -> float:
        """How long the tree may take to end by itself."""
        return self.supervision.shutdown_timeout

    def database(self, name: str) -> Path:
        """The file of a database: api, vault, health, recovery, shard-N."""
        return self.state_dir / f"{name}.db"

    def socket(self, name: str) -> str:
        """The path of a Unix socket."""
        return str(self.runtime_dir / name)

    @property
    def tuning(self) -> Tuning:
        """The part that a reload may change."""
        return Tuning(**{item.name: getattr(self, item.name) for item in fields(Tuning)})

    def tuned(self, tuning: Tuning) -> "Settings":
        """The same with another tuning."""
        return replace(self, **{item.name: getattr(tuning, item.name) for item in fields(Tuning)})

    def without_key(self) -> "Settings":
        """For every actor but the vault."""
        return replace(self, vault_keys=MasterKeys())


def settings_from(config: Config, node: str | None) -> Settings:
    """The actors' part of a configuration."""
    return Settings(
        state_dir=Path(config.state_dir),
        runtime_dir=Path(config.runtime_dir),
        supervision=config.supervision,
        recovery=config.recovery,
        health=config.health,
        connectors=config.connectors,
        ack_timeout=config.sends.ack_timeout,
        sends_keep=config.sends.keep,
        events_keep=config.events.keep,
        audit_keep=config.audit.keep,
        node=node,
        log_level=config.log.level,
        vault_keys=master_keys(config.vault),
    )


def master_keys(vault: Vault) -> MasterKeys:
    """The keys that a configuration means."""
    key = vault.master_key
    return MasterKeys(None if key is None else _digest(key), tuple(map(_digest, vault.previous_keys)))


def _digest(key: Secret) -> bytes:
    return hashlib.sha256(key.reveal().encode()).digest()


def shard_name(shard: int) -> str:
    """Name of a shard, of its database and of its place in the tree."""
    return f"shard-{shard}"


def host_name(shard: int) -> str:
    """The directory name of a shard's connector host."""
    return f"{shard_name(shard)}/host"


def connector_options(connectors: Connectors, connector: str, ack_timeout: float) -> dict[str, Any]:
    """The ``options`` of a connector process (docs/connector-protocol.md); milliseconds as the protocol has them."""
    section = connectors.of(connector)
    options: dict[str, Any] = {
        "heartbeatMs": round(section.heartbeat * 1000),
        "heartbeatTimeoutMs": round(section.heartbeat_timeout * 1000),
        "ackTimeoutMs": round(ack_timeout * 1000),
    }
    if connector == "baileys":
        own = connectors.baileys
        options |= {
            "openDeadlineMs": round(own.open_deadline * 1000),
            "pairingTimeoutMs": round(own.pairing_timeout * 1000),
            "standingMs": round(own.standing_every * 1000),
            "websocketUrl": own.websocket_url,
            "noiseRootKey": own.noise_root_key,
            "clientVersion": list(own.client_version) if own.client_version is not None else None,
        }
    elif connector == "simulator":
        options["seed"] = connectors.simulator.seed
    else:
        external = connectors.external
        options = {**external.options, **options, "openDeadlineMs": round(external.open_deadline * 1000)}
    return options
