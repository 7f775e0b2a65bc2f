"""What main knows of every session: rebuilt from the databases at the start, kept by what the gateway pushes.

All API reads and ``/metrics`` are answered from it; none of them waits for an actor or a database.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from actors.events import EventType
from actors.health.status import status_of
from actors.masking import mask_text
from actors.recovery.plans import remedy
from actors.session.causes import cause_named
from actors.store.records import OutboxEvent, SessionState
from daemon.backend import SessionLive
from daemon.sendcounts import SendCounts

_UNKNOWN = SessionLive()
GROWS_OLD = 1.0
"""Seconds for which a status holds without news: silence makes it another one."""
CONNECTIONS = frozenset({"connecting", "open", "closing", "waiting"})
"""States that a restart of the daemon ends; verdicts and wishes outlive it."""


class Snapshot:
    """The live state by session id.  ``known`` tells whether there is such a session: others are not kept."""

    def __init__(self, known: Callable[[str], bool], began: float = 0.0) -> None:
        """``began``: when main started, seconds since 1970; connections of before died with their actors."""
        self._known = known
        self._began = began
        self._states: dict[str, SessionLive] = {}
        self._views: dict[str, Mapping[str, Any]] = {}
        self._sends = SendCounts()
        self._joined: dict[str, tuple[float, SessionLive]] = {}
        """Session -> when it was put together (monotonic), and what came out; no entry after news."""

    def live(self, session: str) -> SessionLive:
        """State and health of a session together, with the status as of now; the same object while nothing changes."""
        at, joined = self._joined.get(session, (-math.inf, None))
        if (now := time.monotonic()) - at > GROWS_OLD or joined is None:
            joined = self._join(session) if joined is None else joined
            status = _status(joined, time.time())
            joined = joined if joined.status == status else replace(joined, status=status)
            self._joined[session] = now, joined
        return joined

    def _join(self, session: str) -> SessionLive:
        state = self._states.get(session, _UNKNOWN)
        view = self._views.get(session, {})
        if view.get("parked"):
            state = replace(state, state="parked", cause="crash_loop", remedy=_remedy("crash_loop"))
        seen = max(filter(None, (state.last_seen, view.get("lastSeen"))), default=None)
        # a verdict on an earlier connection says nothing about this one
        judged = state.state == "open" and (view.get("checkedAt") or 0.0) >= state.since
        liveness = view.get("liveness") if judged else None
        planned = view.get("nextAttemptAt")
        if state.state == "waiting" and planned is not None and planned >= state.since:
            # the plan is made after the transition is told, and comes with the next sample
            state = replace(state, detail={**state.detail, "nextAttemptAt": planned})
        return replace(
            state,
            liveness=liveness,
            liveness_detail=(view.get("livenessDetail") or {}) if liveness is not None else {},
            score=view.get("score"),
            quality=view.get("quality"),
            confidence=view.get("confidence"),
            capped=view.get("capped"),
            rtt_trend=view.get("rttTrend"),
            refused=view.get("refused", {}),
            disconnects_by=view.get("disconnectsBy", {}),
            components=view.get("components", {}),
            checked_at=view.get("checkedAt"),
            canaries=view.get("canaries", {}),
            rhythm_since=view.get("rhythmSince"),
            rtt_ms=view.get("rttMs", {}),
            counts=view.get("counts", {}),
            undecryptable_share=view.get("undecryptableShare"),
            timelocked=view.get("timelocked", False),
            timelocked_until=view.get("timelockedUntil"),
            new_chats=view.get("newChats"),
            platform_quality=view.get("platformQuality"),
            sends=self._sends.of(session),
            last_seen=seen,
            error_count=view.get("errorCount", 0),
        )

    def load(self, states: Mapping[str, SessionState], waiting: Mapping[str, int] | None = None) -> None:
        """The stored states of one shard, and how many messages wait there to be sent."""
        found = waiting or {}
        self._sends.load({session: found.get(session, 0) for session in {*states, *found} if self._known(session)})
        for session in {*states, *found}:
            self._joined.pop(session, None)
        for session, stored in states.items():
            if not self._known(session):
                continue
            over = stored.since < self._began and stored.state in CONNECTIONS
            self._states[session] = _live(
                "starting" if over else stored.state, stored.since, {**stored.data, "code": stored.code}, stored.cause
            )

    def apply(self, event: OutboxEvent) -> None:
        """An event of a shard's outbox."""
        if event.type == EventType.SESSION_REMOVED and event.session is not None:
            self.forget(event.session)
        if event.session is not None and self._known(event.session):
            self._sends.apply(event)
            self._joined.pop(event.session, None)
        if event.type == EventType.SESSION_STATE and event.session is not None and self._known(event.session):
            self._states[event.session] = _live(
                event.data.get("state", "starting"), event.at, event.data, event.data.get("cause")
            )

    def health(self, views: Mapping[str, Mapping[str, Any]], *, stored: bool = False) -> None:
        """Views that the health actor computed; ``stored`` ones may be older than what was pushed already."""
        for session, view in views.items():
            old = stored and view.get("checkedAt", 0.0) < self._views.get(session, {}).get("checkedAt", 0.0)
            if self._known(session) and not old:
                self._views[session] = view
                self._joined.pop(session, None)

    def forget(self, session: str) -> None:
        """The session was removed."""
        self._sends.forget(session)
        self._states.pop(session, None)
        self._views.pop(session, None)
        self._joined.pop(session, None)


def _status(live: SessionLive, now: float) -> str:
    age = None if live.last_seen is None else now - live.last_seen
    return str(status_of(live.state, live.cause, live.detail.get("causeAt"), now, age, live.liveness))


def _live(state: str, since: float, data: Mapping[str, Any], cause: str | None) -> SessionLive:
    me, message = data.get("me"), data.get("message")
    return SessionLive(
        state=state,
        since=since,
        cause=cause,
        code=data.get("code"),
        message=mask_text(message) if message else None,
        detail=_detail(data),
        remedy=_remedy(cause, data.get("attempt") or 0),
        me=mask_text(me) if me else None,
        generation=data.get("generation") or 0,
        last_seen=since if state == "open" else data.get("lastSeen"),
        reconnect_attempts=data.get("attempt") or 0,
        held=data.get("held") is True,
        versions={k: str(v) for k, v in (data.get("versions") or {}).items()},
    )


def _detail(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of the trouble; moments are seconds since 1970."""
    told = (data.get("detail") or {}).items()
    known = {
        **{name: mask_text(value) if isinstance(value, str) else value for name, value in told},
        "reason": data.get("reason"),
        "until": data.get("until"),
        "nextAttemptAt": data.get("nextAttemptAt"),
        "causeAt": data.get("downSince"),
    }
    return {name: value for name, value in known.items() if value is not None}


def _remedy(cause: str | None, attempts: int = 0) -> str | None:
    known = cause_named(cause) if cause else None
    return remedy(known, attempts) if known else None
