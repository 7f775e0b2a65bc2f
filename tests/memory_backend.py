"""The in-memory twin of the backend: the same behaviour without processes, passing the same contract suite."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal

from daemon.backend import BackendError, Pairing, Send, SessionLive, SessionRecord
from daemon.metrics.shown import ShownMetrics
from tests.memory_accounts import MemoryAccounts
from tests.memory_auth import MemoryAuth
from tests.memory_history import MemoryHistory
from tests.memory_recovery import MemoryRecovery

Behaviour = Literal["opens", "unpaired", "locked"]
"""What happens when a session logs in: it opens, it has nothing to log in with, or its account is locked (403)."""

CONNECTORS = ("baileys", "simulator")
QR_SECONDS = 20.0
DEAD_STATES = frozenset({"blocked", "halted", "stopped"})


@dataclass
class _Session:
    record: SessionRecord
    behaviour: Behaviour
    live: SessionLive
    paired: bool
    qr: Pairing | None = None
    sends: dict[str, tuple[Send, str]] = field(default_factory=dict)
    """By the caller's id; with the text."""


STATS = {
    "residentBytes": 105 * 2**20,
    "cpuSeconds": 1.5,
    "eventLoopLagSeconds": 0.002,
    "sessions": 2,
    "counts": {"open": 2, "uncaught": 0},
    "recycled": 0,
    "succeeded": 0,
    "admission": {"admitted": 4, "slotsLost": 0, "waiting": 0, "outage": None, "proxies": []},
}
"""What the connector process says of itself."""
HISTORY = {
    "rows": {"raw": 1440, "minute": 10_080},
    "behindSeconds": 31.5,
    "waiting": 0,
    "written": 120,
    "lost": 0,
    "pruneSeconds": 0.2,
}
"""What the health actor says of the history."""


class MemoryBackend:
    """Everything happens at once, unless a test says otherwise through the attributes."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sessions: dict[str, _Session] = {}
        self._numbers = count(1)
        self.acknowledges = True
        """False: the server never acknowledges a message."""
        self.gives_qr = True
        """False: no QR code comes."""
        self.accounts = MemoryAccounts(clock)
        self.recovery = MemoryRecovery(clock, self.records)
        self.recovery.state = lambda session: self._sessions[session].live.state
        self.auth = MemoryAuth(lambda session: (self._known(session).record, self._known(session).live))
        self.history = MemoryHistory(clock, self._known)
        self.proxies = ("berlin-1", "oslo-1")
        """Names of the proxies of the configuration."""
        self.shown = ShownMetrics()
        self.held: set[str] = set()
        """Sessions whose keys came out of a backup."""
        self.up = True
        """False: the actor system is not up."""
        self.audit: list[tuple[str, str, str]] = []
        """Who, what, which session."""
        self.waits: list[float] = []
        """Of every send and pairing."""

    # --- the world, for tests

    def seed(self, record: SessionRecord, behaviour: Behaviour = "opens") -> None:
        """A session as the configuration file has it."""
        live = SessionLive(since=self._clock(), generation=1)
        self._sessions[record.id] = _Session(record, behaviour, live, paired=behaviour != "unpaired")
        self._begin(self._sessions[record.id])

    def set_live(self, session: str, **changes: Any) -> None:
        """Make a session look as a test needs it."""
        item = self._sessions[session]
        item.live = replace(item.live, **changes)

    def rotate(self, session: str) -> None:
        """The QR code expires and is replaced."""
        self._sessions[session].qr = self._new_qr()

    def scan(self, session: str) -> None:
        """A phone scans the QR code, or its owner types the pairing code."""
        item = self._sessions[session]
        item.paired, item.qr = True, None
        self._become(item, "open")

    # --- the port

    def records(self) -> Mapping[str, SessionRecord]:
        return {session: item.record for session, item in self._sessions.items()}

    def live(self, session: str) -> SessionLive:
        return self._sessions[session].live

    def ready(self) -> tuple[bool, str]:
        return (True, "") if self.up else (False, "the actor system is starting")

    async def add(self, record: SessionRecord, who: str) -> None:
        if record.id in self._sessions:
            raise BackendError("conflict", "A session with this id exists.")
        if record.connector not in CONNECTORS:
            raise BackendError("invalid", f"The connector is one of {', '.join(CONNECTORS)}.")
        self._know(record.proxy)
        self.audit.append((who, "add", record.id))
        self.seed(record, "unpaired")

    def _know(self, proxy: str | None) -> None:
        if proxy not in {None, *self.proxies}:
            raise BackendError("invalid", "The configuration has no such proxy.")

    async def change(
        self,
        session: str,
        who: str,
        *,
        labels: Mapping[str, str] | None = None,
        enabled: bool | None = None,
        proxy: str | None = None,
    ) -> SessionRecord:
        item = self._owned(session)
        self.audit.append((who, "change", session))
        if labels is not None:
            item.record = replace(item.record, labels=dict(labels))
        if proxy is not None:
            self._know(proxy or None)
            item.record = replace(item.record, proxy=proxy or None)
        if enabled is not None:
            await (self.start if enabled else self.stop)(session, who)
        return item.record

    async def remove(self, session: str, who: str, *, purge: bool) -> None:
        self._owned(session)
        self.audit.append((who, "purge" if purge else "remove", session))
        del self._sessions[session]
        self.recovery.forget(session)

    async def reconnect(self, session: str, who: str) -> str:
        item = self._known(session)
        if item.live.state == "stopped":
            raise BackendError("refused", "The session is stopped.", remedy="Start it.")
        self.audit.append((who, "reconnect", session))
        self._begin(item)
        return f"op-{next(self._numbers)}"

    async def start(self, session: str, who: str, *, accept_stale: bool = False) -> None:
        item = self._known(session)
        if session in self.held and not accept_stale:
            raise BackendError("refused", "Its keys came out of a backup.", remedy="--accept-stale-keys")
        self.held.discard(session)
        self.audit.append((who, "start", session))
        item.record = replace(item.record, enabled=True)
        self._begin(item)

    async def stop(self, session: str, who: str) -> None:
        item = self._known(session)
        self.audit.append((who, "stop", session))
        item.record = replace(item.record, enabled=False)
        self._become(item, "stopped")

    async def logout(self, session: str, who: str) -> None:
        item = self._known(session)
        self.audit.append((who, "logout", session))
        item.paired = False
        self._become(item, "halted", "error", cause="logged_out_by_us", code=401, remedy="pair the session")

    async def pairing(self, session: str, who: str, wait: float) -> Pairing:
        item = self._pairable(session)
        self.audit.append((who, "pair", session))
        self.waits.append(wait)
        if not self.gives_qr:
            raise BackendError("timeout", "No QR code came in time.")
        if item.qr is None or (item.qr.expires_at or 0) <= self._clock():
            item.qr = self._new_qr()
        self._become(item, "pairing")
        return item.qr

    async def pairing_code(self, session: str, who: str, phone: str) -> Pairing:
        item = self._pairable(session)
        self.audit.append((who, "pairing-code", session))
        self._become(item, "pairing")
        item.qr = Pairing(qr=None, code="ABCD1234", expires_at=self._clock() + 180)
        return item.qr

    async def send(self, session: str, who: str, id: str | None, to: str, text: str, wait: float) -> tuple[Send, bool]:
        item = self._known(session)
        self.waits.append(wait)
        id = id or f"made-{next(self._numbers)}"
        if id in item.sends:
            known, known_text = item.sends[id]
            if (known.to, known_text) != (to, text):
                raise BackendError("conflict", "This id was used for another message.")
            return known, False
        if item.live.state in {*DEAD_STATES, "pairing"}:
            raise BackendError("refused", f"The session is {item.live.state}.", remedy=item.live.remedy)
        self.audit.append((who, "send", session))
        now = self._clock()
        state: Literal["queued", "acknowledged"] = (
            "acknowledged" if self.acknowledges and item.live.state == "open" else "queued"
        )
        sent = Send(session, id, to, state, now, now, message_id=f"3EB0{next(self._numbers):016X}")
        item.sends[id] = (sent, text)
        await asyncio.sleep(0)
        return sent, True

    async def find_send(self, session: str, id: str) -> Send | None:
        found = self._known(session).sends.get(id)
        return found[0] if found else None

    async def tree(self) -> dict[str, Any]:
        if not self.up:
            raise BackendError("unavailable", "The actor system is starting.")
        return {
            **_node("root", "root"),
            "above": [_node(kind, kind) for kind in ("main", "keeper", "launcher", "admin", "logger")],
            "children": [
                {**_node("shard-0/connector", "connector-process", state="running"), "stats": STATS},
                {**_node("health", "service"), "history": HISTORY},
                *(_node(session, "session", state="running") for session in self._sessions),
            ],
        }

    # --- inside

    def _known(self, session: str) -> _Session:
        if session not in self._sessions:
            raise BackendError("unknown_session", "There is no such session.")
        return self._sessions[session]

    def _owned(self, session: str) -> _Session:
        item = self._known(session)
        if item.record.origin == "file":
            raise BackendError("file_owned", f"It stands in {item.record.source}.", source=item.record.source)
        return item

    def _pairable(self, session: str) -> _Session:
        item = self._known(session)
        if item.paired:
            raise BackendError("conflict", "The session is paired already.")
        return item

    def _new_qr(self) -> Pairing:
        return Pairing(qr=f"2@{next(self._numbers):032d},key,identity,secret", expires_at=self._clock() + QR_SECONDS)

    def _begin(self, item: _Session) -> None:
        if not item.record.enabled:
            self._become(item, "stopped")
        elif item.behaviour == "locked":
            self.recovery.halted(item.record.id, "forbidden")
            self._become(
                item, "blocked", cause="forbidden", code=403, message="login refused", remedy="unlock the account"
            )
        elif not item.paired:
            self._become(item, "pairing")
        else:
            self._become(item, "open")

    def _become(self, item: _Session, state: str, status: str | None = None, **fields: Any) -> None:
        now = self._clock()
        score = {"open": 96, "pairing": 50}.get(state, 0)
        item.live = SessionLive(
            state=state,
            since=now,
            status=status or {"open": "connected"}.get(state, state),
            score=score,
            quality="excellent" if score > 80 else "poor" if score else "critical",
            checked_at=now,
            last_seen=now if state == "open" else item.live.last_seen,
            generation=item.live.generation + 1,
            components={"connection": {"points": score, "max": 100, "evidenceAgeSeconds": 0.0, "why": state}},
            detail={"causeAt": now} if fields else {},
            me="1555•••89@s.whatsapp.net" if state == "open" else None,
            undecryptable_share=0.0 if state == "open" else None,
            new_chats={"used": 3, "total": 10, "capped": False, "until": None} if state == "open" else None,
            platform_quality={"rating": "medium", "at": now} if state == "open" else None,
            liveness="alive" if state == "open" else None,
            liveness_detail={"since": now, "unusual": False, "evidence": {"deliveryAgeSeconds": 1.5}},
            canaries={"sent": 2, "arrived": 2} if state == "open" else {},
            rhythm_since=now if state == "open" else None,
            rtt_ms={"last": 41.0, "p50": 40.0, "p95": 95.5} if state == "open" else {},
            versions={"connector": "1.0"},
            counts={"sent": len(item.sends), "disconnects": 0},
            **fields,
        )


def _node(id: str, kind: str, state: str = "running") -> dict[str, Any]:
    return {
        "id": id,
        "kind": kind,
        "pid": 4711,
        "state": state,
        "uptimeSeconds": 12.5,
        "restarts": 1,
        "lastExit": None,
        "rssBytes": 3_600_000,
        "pssBytes": 1_200_000,
        "mailboxAgeSeconds": 0.002,
        "children": [],
    }
