"""What is in the audit log, and which of it heals something.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from actors.store.audit_queries import AuditFilter
from actors.store.records import AuditEntry

MANUAL, AUTOMATIC = "manual", "automatic"
"""Origins of interventions."""

DAEMON = "wavigil"
"""Who, of what the daemon does by itself; no token has this name."""

BEGUN = "begun"
"""Outcome of what is under way, or of which nobody knows how it went: the daemon was killed meanwhile."""
DONE = "done"

RELOAD = "config.reload"

NOTHING_DONE = frozenset(
    {
        "forbidden",
        "unknown_session",
        "unknown_pause",
        "conflict",
        "file_owned",
        "not_pairing",
        "not_open",
        "refused",
        "invalid",
        "configuration",
        "limit",
    }
)
"""Outcomes after which all is as it was."""

SHOWN = frozenset({"session.pairing"})
"""Actions that are repeated every few seconds while somebody waits."""

_HEALING = {
    "session.reconnect": "reconnect",
    "session.start": "start",
    "session.stop": "stop",
    "session.logout": "logout",
    "recovery.force": "force",
}
_PAIRING = frozenset({"session.pairing", "session.pairing_code"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    """Of the token."""
    role: str | None = None
    remote: str | None = None
    """Address of the peer: that of the proxy, if there is one."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody is about to do."""

    caller: Caller
    action: str
    target: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Without secrets, phone numbers masked."""
    heals: str | None = None
    """The manual intervention that it is, once done."""


def healing(action: str, detail: Mapping[str, Any], *, paired_before: bool) -> str | None:
    """The manual intervention that an action is: reconnect, start, stop, logout, force, pair; None if it heals nothing.

    The first pairing of a session heals nothing, a later one does.
    """
    if action in _PAIRING:
        return "pair" if paired_before else None
    if action == "session.change" and detail.get("enabled") is not None:
        return "start" if detail["enabled"] else "stop"
    return _HEALING.get(action)


class AuditTrail(Protocol):
    """Implemented over api.db, and by an in-memory twin in the tests."""

    async def begin(self, deed: Deed) -> int | None:
        """Stores the entry before anything is done; its number, or None where an entry of before stands for it.

        Raises BackendError ``storage_full``, ``unavailable``: then nothing may be done.
        """
        ...

    async def finish(self, number: int | None, deed: Deed, outcome: str) -> None:
        """Stores how it went; what can't be stored now is stored later."""
        ...

    async def refused(self, deed: Deed, outcome: str) -> None:
        """Stores what was not even begun."""
        ...

    async def page(self, wanted: AuditFilter, limit: int, before: int | None) -> list[tuple[int, AuditEntry]]:
        """Entries with their numbers, newest first, only those with a number below ``before``."""
        ...
