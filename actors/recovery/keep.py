"""An open episode as the ledger keeps it, and as its events tell it.  Pure."""

from collections.abc import Mapping
from typing import Any

from actors.events import EventType
from actors.recovery.episodes import Episode, Note, Rung
from actors.recovery.plans import remedy
from actors.recovery.strategies import Strategy, ladder
from actors.session.causes import Cause, cause_named
from actors.store import records

HELPED, FAILED, HARMFUL, REFUSED, SUPERSEDED, FINAL = "helped", "failed", "harmful", "refused", "superseded", "final"
"""Outcomes of actions."""
DEED = "deed"
"""Key in the ``why`` of an action that recovery ordered, with the logins that it costs."""


def data(episode: Episode) -> dict[str, Any]:
    """What has no column of its own."""
    return {
        "lastCause": str(episode.last_cause),
        "failures": episode.failures,
        "waitingSince": episode.waiting_since,
        "rungAt": episode.rung_at,
        "rungAttempts": episode.rung_attempts,
        "rungDeeds": episode.rung_deeds,
        "openedAt": episode.opened_at,
        "doubt": episode.doubt,
        "doubtAt": episode.doubt_at,
        "pendingAt": episode.pending_at,
        "forcedFrom": None if episode.forced_from is None else _rung(episode.forced_from),
        "refusedAt": episode.refused_at,
        "escalated": episode.escalated,
        "plannedBy": dict(episode.planned),
        "held": episode.held,
    }


def _rung(rung: Rung) -> dict[str, Any]:
    return {"strategy": str(rung.strategy), "at": rung.at, "attempts": rung.attempts, "deeds": rung.deeds}


def restore(row: records.Episode) -> Episode:
    """An open episode as it was stored, also by an earlier version."""
    stored = row.data
    first = cause_named(row.cause) or Cause.UNKNOWN
    last = cause_named(str(stored.get("lastCause"))) or first
    detected = row.started_at if row.detected_at is None else row.detected_at
    return Episode(
        began_at=row.started_at,
        cause=first,
        last_cause=last,
        detected_at=detected,
        strategy=Strategy(row.strategy) if row.strategy in _STRATEGIES else ladder(last)[0],
        rung_at=float(stored.get("rungAt", detected)),
        failures=int(stored.get("failures", 1)),
        attempts=row.attempts,
        rung_attempts=int(stored.get("rungAttempts", 0)),
        rung_deeds=int(stored.get("rungDeeds", 0)),
        waiting_since=stored.get("waitingSince"),
        opened_at=stored.get("openedAt"),
        doubt=stored.get("doubt"),
        doubt_at=stored.get("doubtAt"),
        pending_at=stored.get("pendingAt"),
        forced_from=_restore_rung(stored.get("forcedFrom")),
        refused_at=stored.get("refusedAt"),
        escalated=bool(stored.get("escalated", False)),
        planned=dict(stored.get("plannedBy", {})),
        held=bool(stored.get("held", False)),
    )


def _restore_rung(stored: Any) -> Rung | None:
    if stored is None:
        return None
    return Rung(Strategy(stored["strategy"]), stored["at"], stored["attempts"], stored["deeds"])


def told(note: Note, row: int, why: Mapping[str, Any] | None = None, action: int | None = None) -> dict[str, Any]:
    """The data of the event that tells a note; ``why`` and ``action``: of what was ordered."""
    episode = note.episode
    common: dict[str, Any] = {
        "episode": row,
        "cause": str(episode.last_cause),
        "attempts": episode.attempts,
        "strategy": str(episode.strategy),
    }
    match note.type:
        case EventType.RECOVERY_STARTED:
            return common | {"since": episode.began_at}
        case EventType.RECOVERY_ATTEMPT:
            return common | {"attempt": episode.attempts, "delaySeconds": note.delay_s, "plannedBy": note.planned_by}
        case EventType.RECOVERY_LOOP:
            seconds = max(0.0, note.at - episode.began_at)
            return common | {"seconds": seconds, "remedy": remedy(episode.last_cause, episode.attempts)}
        case EventType.RECOVERY_ACTION:
            return common | {"action": action, "why": dict(why or {})}
        case EventType.RECOVERY_ESCALATED:
            return common | {"why": dict(why or {}), "remedy": remedy(episode.last_cause, episode.attempts)}
    return common | {
        "outcome": str(episode.outcome),
        "seconds": episode.seconds,
        "held": episode.held,
        "remedy": remedy(episode.last_cause, episode.attempts),
    }


_STRATEGIES = frozenset(strategy.value for strategy in Strategy)
