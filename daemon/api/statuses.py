"""The JSON of statuses, made again only where something changed: a page of them is bytes put together."""

import json
from collections.abc import Container, Iterable, Sequence

from actors.recovery.pauses import Pause
from daemon.api import render
from daemon.backend import SessionLive, SessionRecord


class Statuses:
    """What was made for each session, and of what.

    Records and live states are never changed, only replaced: the same objects have the same JSON.
    """

    def __init__(self) -> None:
        self._made: dict[str, tuple[SessionRecord, SessionLive, Sequence[Pause], bytes]] = {}

    def of(self, record: SessionRecord, live: SessionLive, pauses: Sequence[Pause]) -> bytes:
        """``models_status.SessionStatus`` of a session, as JSON in UTF-8."""
        known = self._made.get(record.id)
        if known is not None and known[0] is record and known[1] is live and known[2] == pauses:
            return known[3]
        made = render.status(record, live, pauses).model_dump_json().encode()
        self._made[record.id] = record, live, tuple(pauses), made
        return made

    def keep(self, sessions: Container[str]) -> None:
        """Forgets all others."""
        for gone in [session for session in self._made if session not in sessions]:
            del self._made[gone]


def page(statuses: Iterable[bytes], next_cursor: str | None, total: int) -> bytes:
    """``models_status.SessionStatusPage`` as JSON in UTF-8.  Pure."""
    end = json.dumps(next_cursor)
    return b'{"sessions":[%b],"nextCursor":%b,"total":%d}' % (b",".join(statuses), end.encode(), total)
