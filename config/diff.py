"""What changed between two configurations, and how much of it a running daemon takes over.  Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from config.schema import Config, SessionSpec
from config.section import Section

LIVE = (
    "sessions",
    "proxies",
    "log.level",
    "connectors.baileys.websocket_url",
    "connectors.baileys.client_version",
    "connectors.baileys.sessions_per_host",
    "connectors.baileys.heartbeat",
    "connectors.baileys.heartbeat_timeout",
    "connectors.baileys.connects_per_second",
    "connectors.baileys.connects_per_second_per_host",
    "connectors.baileys.spare_after",
    "connectors.baileys.open_deadline",
    "connectors.baileys.pairing_timeout",
    "connectors.baileys.standing_every",
    "connectors.baileys.recycle_memory",
    "connectors.baileys.memory_limit",
    "connectors.simulator.sessions_per_host",
    "connectors.simulator.heartbeat",
    "connectors.simulator.heartbeat_timeout",
    "connectors.simulator.connects_per_second",
    "connectors.simulator.connects_per_second_per_host",
    "connectors.simulator.spare_after",
    "connectors.simulator.profile",
    "connectors.external.options",
    "connectors.external.sessions_per_host",
    "connectors.external.heartbeat",
    "connectors.external.heartbeat_timeout",
    "connectors.external.connects_per_second",
    "connectors.external.connects_per_second_per_host",
    "connectors.external.spare_after",
    "connectors.external.open_deadline",
    "events",
    "health",
    "recovery",
    "sends",
    "supervision.backoff",
    "supervision.intensity",
    "supervision.park_retry",
    "vault",
    "http.tokens",
    "http.max_body",
    "http.requests_per_second",
    "http.max_concurrent",
    "http.tls.certificate",
    "http.tls.key",
)
"""What a reload applies, with all below it.  The rest, also what is new and not named here, needs a restart.

Settings that a rule of the schema ties together are named together or not at all: what runs is always valid.
"""

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True)
class Difference:
    """From the configuration that runs to the one that is wanted; sessions are those of the file."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Session -> its fields that differ."""
    unchanged: int = 0
    """Number of sessions that are the same in both."""
    settings: tuple[str, ...] = ()
    """Paths of other settings that differ and take effect, such as ``log.level``."""
    restart_needed: tuple[str, ...] = ()
    """Paths of settings that differ and take effect at the next start."""

    @property
    def nothing(self) -> bool:
        """Whether both are the same."""
        return not (self.added or self.removed or self.changed or self.settings or self.restart_needed)


def difference(running: Config, wanted: Config) -> Difference:
    """What a reload of ``wanted`` means for a daemon that runs ``running``."""
    before = {spec.id: spec for spec in running.sessions}
    after = {spec.id: spec for spec in wanted.sessions}
    kept = [id for id in after if id in before]
    changed = {id: fields for id in kept if (fields := _fields(before[id], after[id]))}
    paths = [path for path in changed_paths(running, wanted) if path != "sessions"]
    return Difference(
        added=tuple(id for id in after if id not in before),
        removed=tuple(id for id in before if id not in after),
        changed=changed,
        unchanged=len(kept) - len(changed),
        settings=tuple(path for path in paths if is_live(path)),
        restart_needed=tuple(path for path in paths if not is_live(path)),
    )


def in_effect(running: Config, wanted: Config) -> Config:
    """What runs after the reload: ``wanted``, but for what needs a restart."""
    return _merge(running, wanted, "")


def is_live(path: str) -> bool:
    """Whether a reload applies the setting."""
    return any(path == live or path.startswith(f"{live}.") for live in LIVE)


def changed_paths(before: Section, after: Section, prefix: str = "") -> Iterator[str]:
    """The settings that differ, in the order of the schema; a list or a missing section counts as one setting."""
    for name in type(after).model_fields:
        old, new, path = getattr(before, name), getattr(after, name), _join(prefix, name)
        if isinstance(old, Section) and isinstance(new, Section):
            yield from changed_paths(old, new, path)
        elif old != new:
            yield path


def _fields(before: SessionSpec, after: SessionSpec) -> tuple[str, ...]:
    return tuple(name for name in SessionSpec.model_fields if getattr(before, name) != getattr(after, name))


def _merge(running: S, wanted: S, prefix: str) -> S:
    kept: dict[str, object] = {}
    for name in type(wanted).model_fields:
        old, new, path = getattr(running, name), getattr(wanted, name), _join(prefix, name)
        if isinstance(old, Section) and isinstance(new, Section):
            kept[name] = _merge(old, new, path)
        elif not is_live(path):
            kept[name] = old
    return wanted.model_copy(update=kept)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
