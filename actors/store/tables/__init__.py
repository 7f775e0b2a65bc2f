"""The tables of each kind of database.  Migrations make them; a test compares the two.

Times are seconds since 1970.  Every producer's database has an ``outbox`` (see `actors.store.outbox`), every
consumer's a ``cursor``: what must not be lost is read from the outbox, an actor message is only a hint.
"""

from enum import StrEnum

from sqlalchemy import MetaData

from actors.store.tables.api import (
    API,
    api_outbox,
    audit,
    desired,
    interventions,
    meta,
    placement,
    recovery_pauses,
    sends,
    sessions,
)
from actors.store.tables.health import (
    BULKY,
    HEALTH,
    canaries,
    canary_memories,
    health_cursor,
    health_meta,
    health_outbox,
    history_days,
    history_hours,
    history_levels,
    history_minutes,
    history_raw,
    history_sessions,
    rhythms,
    scores,
)
from actors.store.tables.recovery import RECOVERY, actions, episode_days, episodes, recovery_cursor, recovery_outbox
from actors.store.tables.shard import SHARD, inbound_seen, send_state, session_state, shard_cursor, shard_outbox
from actors.store.tables.vault import VAULT, vault_entries, vault_meta, vault_sessions

__all__ = [
    "API",
    "BULKY",
    "HEALTH",
    "METADATA",
    "RECOVERY",
    "SHARD",
    "VAULT",
    "Kind",
    "actions",
    "api_outbox",
    "audit",
    "canaries",
    "canary_memories",
    "desired",
    "episode_days",
    "episodes",
    "health_cursor",
    "health_meta",
    "health_outbox",
    "history_days",
    "history_hours",
    "history_levels",
    "history_minutes",
    "history_raw",
    "history_sessions",
    "inbound_seen",
    "interventions",
    "meta",
    "placement",
    "recovery_cursor",
    "recovery_outbox",
    "recovery_pauses",
    "rhythms",
    "scores",
    "send_state",
    "sends",
    "session_state",
    "sessions",
    "shard_cursor",
    "shard_outbox",
    "vault_entries",
    "vault_meta",
    "vault_sessions",
]


class Kind(StrEnum):
    """What a database is for; one writer process each."""

    API = "api"
    SHARD = "shard"
    HEALTH = "health"
    RECOVERY = "recovery"
    VAULT = "vault"


METADATA: dict[Kind, MetaData] = {
    Kind.API: API,
    Kind.SHARD: SHARD,
    Kind.HEALTH: HEALTH,
    Kind.RECOVERY: RECOVERY,
    Kind.VAULT: VAULT,
}
