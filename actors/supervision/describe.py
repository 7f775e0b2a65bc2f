"""Nodes of the supervision tree, as ``GET /api/supervision`` shows them."""

import signal
from typing import Any

from actors.messages.supervision import Heartbeat, ServiceSample
from actors.runtime.memory import pss_bytes
from actors.runtime.process import rss_bytes
from actors.supervision.owned import Owned
from actors.supervision.state import Child, Exit, Phase


def node(id: str, kind: str, pid: int | None, state: str, *, memory: bool) -> dict[str, Any]:
    """A node with what can be said of any process; reads /proc only if ``memory``."""
    return {
        "id": id,
        "kind": kind,
        "pid": pid,
        "state": state,
        "uptimeSeconds": None,
        "restarts": 0,
        "lastExit": None,
        "rssBytes": rss_bytes(pid) if memory and pid is not None else None,
        "pssBytes": None,
        "mailboxAgeSeconds": None,
        "heartbeatAgeSeconds": None,
        "droppedMessages": None,
        "children": [],
    }


def child_node(child: Child, pid: int | None, beat: Heartbeat | None, now: float, *, memory: bool) -> dict[str, Any]:
    """A child of a supervisor; ``beat`` is its last heartbeat, ``now`` monotonic."""
    described = node(child.spec.id, child.spec.kind, pid, str(child.phase), memory=memory)
    described["restarts"] = child.restarts
    described["lastExit"] = exit_(child.last_exit)
    if child.phase is Phase.RUNNING:
        described["uptimeSeconds"] = round(now - child.since, 1)
        described["heartbeatAgeSeconds"] = round(now - child.last_beat, 1)
    if beat is not None:
        described["mailboxAgeSeconds"] = round(beat.mailbox_age, 3)
        described["droppedMessages"] = beat.dropped
        described["pssBytes"] = beat.pss
        if isinstance(beat.sample, ServiceSample) and beat.sample.store is not None:
            described["store"] = dict(beat.sample.store)
        if isinstance(beat.sample, ServiceSample) and beat.sample.history is not None:
            described["history"] = dict(beat.sample.history)
    return described


def owned_node(owned: Owned, beat: Heartbeat | None, now: float, *, memory: bool) -> dict[str, Any]:
    """A process that is no actor; ``beat`` is the last heartbeat of the actor that owns it."""
    process = owned.process
    pid = process.pid if owned.running else None
    described = node(process.id, process.kind, pid, "running" if owned.running else "stopped", memory=memory)
    described["restarts"] = owned.restarts
    described["lastExit"] = exit_(owned.last_exit)
    described["version"] = process.version
    described["pssBytes"] = pss_bytes(process.pid) if memory and owned.running else None
    if owned.running:
        described["uptimeSeconds"] = round(now - process.started, 1)
        if beat is not None and isinstance(beat.sample, ServiceSample) and beat.sample.stats is not None:
            described["stats"] = dict(beat.sample.stats)
    return described


def spare_node(beat: Heartbeat | None, now: float, *, memory: bool) -> dict[str, Any] | None:
    """A process that waits for another's place, if the actor has told of one with its last heartbeat."""
    if beat is None or not isinstance(beat.sample, ServiceSample) or (process := beat.sample.spare) is None:
        return None
    described = node(process.id, process.kind, process.pid, "running", memory=memory)
    described["pssBytes"] = pss_bytes(process.pid) if memory else None
    described["uptimeSeconds"] = round(now - process.started, 1)
    return described


def exit_(last: Exit | None) -> dict[str, Any] | None:
    """How a process ended; ``signal`` is a name where there is one."""
    if last is None:
        return None
    return {"how": last.how, "value": last.value, "signal": _signal_name(last), "at": last.at, "why": last.why}


def _signal_name(last: Exit) -> str | None:
    """Of a signal, also of the one with which a supervisor ends who hangs."""
    if last.value is None or last.how in {"code", "asked", "sibling"}:
        return None
    try:
        return signal.Signals(last.value).name
    except ValueError:
        return None  # of a real-time signal
