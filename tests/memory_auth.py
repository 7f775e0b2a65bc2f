"""The in-memory twin of export and import of auth states."""

from collections.abc import Callable, Mapping
from typing import Any

from actors.connectors.baileys.authstate import BadAuthState, check, why_older
from daemon.backend import BackendError, SessionLive, SessionRecord


class MemoryAuth:
    """Auth states by session; a session is paired if it has one."""

    def __init__(self, get: Callable[[str], tuple[SessionRecord, SessionLive]]) -> None:
        self._get = get
        self.states: dict[str, Mapping[str, bytes]] = {}
        self.sealed = True
        self.rotation: dict[str, Any] | None = None

    async def vault(self) -> Mapping[str, Any]:
        return {"sealed": self.sealed, "rotation": self.rotation}

    async def export(self, session: str) -> Mapping[str, bytes]:
        self._at_rest(session)
        if session not in self.states:
            raise BackendError("conflict", "the session is not paired")
        return self.states[session]

    async def replace(self, session: str, entries: Mapping[str, bytes]) -> int:
        try:
            device = check(entries)
        except BadAuthState as error:
            raise BackendError("invalid", str(error), remedy=error.remedy) from None
        self._at_rest(session)
        present = self.states.get(session, {})
        if present and check(present) != device:
            raise BackendError("conflict", "the session is paired as another device")
        if why := why_older(entries, present):
            raise BackendError("conflict", f"it is older: {why}")
        self.states[session] = dict(entries)
        return len(dict(entries.items() - present.items())) + len(present.keys() - entries.keys())

    def _at_rest(self, session: str) -> None:
        record, live = self._get(session)
        if record.connector != "baileys":
            raise BackendError("conflict", f"it is on the {record.connector}")
        if live.state != "stopped":
            raise BackendError("conflict", f"it is {live.state}", remedy="Stop it.")
