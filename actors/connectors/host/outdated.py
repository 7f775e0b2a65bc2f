"""Sessions that rest since WhatsApp called their client outdated: with another client each of them tries once more.

What client a session was tried with is stored with its rest, so that it also holds for a daemon that was upgraded, for
a host that died before it could order anything, and for attempts that were on their way when the version changed.
"""

from collections.abc import Iterable
from dataclasses import replace

from actors.connectors.host.roster import Roster
from actors.session.causes import Cause
from actors.store.records import CLIENT, SessionState

PATIENCE = 60.0
"""Seconds for a session to begin what was ordered; after that the order was lost, and is given again."""


class Outdated:
    """``roster`` knows who rests.  A client is named by a text: what it consists of is nobody's business here."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._client: str | None = None
        self._tried: dict[str, str] = {}
        self._ordered: dict[str, tuple[str, float]] = {}

    def use(self, client: str) -> None:
        """From now on connections begin with that client, as far as is known for sure."""
        self._client = client

    def begins(self, session: str) -> None:
        """A connection begins."""
        if self._client is not None:
            self._tried[session] = self._client

    def marked(self, state: SessionState) -> SessionState:
        """The same, with the client that it was tried with if it rests for that; without one if nobody knows."""
        if not _rests(state):
            return state
        known = self._roster.state(state.session)
        tried = self._tried.get(state.session)
        if known is not None and _rests(known) and (tried is None or state.data.get("resumed")):
            tried = known.data.get(CLIENT)  # nothing was tried since
        return state if tried is None else replace(state, data={**state.data, CLIENT: tried})

    def due(self, now: float) -> dict[str, str | None]:
        """The sessions that are to reconnect now, and what they were tried with.  ``now``: seconds since 1970.

        Not those for which recovery is paused: their time comes with the end of the pause.
        """
        if (client := self._client) is None:
            return {}
        found = {}
        for session, state in self._roster.halted_by(Cause.CLIENT_OUTDATED).items():
            tried = state.data.get(CLIENT)
            with_client, at = self._ordered.get(session, ("", 0.0))
            waits = with_client == client and 0 <= now - at < PATIENCE
            if tried == client or waits or self._roster.is_paused(session, now):
                continue
            if self._roster.address(session) is not None:
                found[session] = tried
                self._ordered[session] = (client, now)
                self._tried[session] = client  # also where a connector would not say that it connects
        return found

    def forget(self, sessions: Iterable[str]) -> None:
        """They are no more."""
        for session in sessions:
            self._tried.pop(session, None)
            self._ordered.pop(session, None)


def _rests(state: SessionState) -> bool:
    return state.state == "halted" and state.cause == Cause.CLIENT_OUTDATED
