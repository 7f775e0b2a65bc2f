"""Records of the backend as answers of the API.  Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from actors.recovery.pauses import Pause
from actors.store.records import AuditEntry
from daemon.api import models, models_status
from daemon.audit.deeds import AUTOMATIC, MANUAL
from daemon.backend import Pairing, Send, SessionLive, SessionRecord

_TIMES = ("nextAttemptAt", "until", "causeAt")
"""Keys of a live session's details that are moments; each has a place of its own in an answer."""


def status(record: SessionRecord, live: SessionLive, pauses: Sequence[Pause] = ()) -> models_status.SessionStatus:
    """The status of one session; ``pauses`` are those of recovery that it is under."""
    return models_status.SessionStatus(
        session_id=record.id,
        connector=record.connector,
        origin=record.origin,
        labels=dict(record.labels),
        proxy=record.proxy,
        status=live.status,
        state=live.state,
        health_score=live.score,
        connection_quality=live.quality,
        last_status_check=live.checked_at,
        last_seen=live.last_seen,
        is_blocked=live.status == "blocked",
        error_count=live.error_count,
        reconnect_attempts=live.reconnect_attempts,
        status_metadata=models_status.StatusMetadata(
            components={name: models_status.ScoreComponent(**part) for name, part in live.components.items()},
            capped=live.capped,
            confidence=live.confidence,
            cause=_cause(live),
            liveness=_liveness(live),
            round_trip_ms=dict(live.rtt_ms),
            round_trip_trend=live.rtt_trend,
            refused=dict(live.refused),
            disconnects={window: dict(causes) for window, causes in live.disconnects_by.items()},
            versions=dict(live.versions),
            generation=live.generation,
            counts=dict(live.counts),
            undecryptable_share=live.undecryptable_share,
            timelocked=live.timelocked,
            timelocked_until=live.timelocked_until,
            new_chats=None if live.new_chats is None else models_status.NewChats(**live.new_chats),
            platform_quality=_platform_quality(live),
            since=live.since,
            next_attempt_at=_time(live.detail, "nextAttemptAt"),
            until=_time(live.detail, "until"),
            me=live.me,
            recovery_paused=_paused(live, pauses),
        ),
    )


def _paused(live: SessionLive, pauses: Sequence[Pause]) -> models_status.RecoveryPaused | None:
    if not pauses:
        return None
    ends = [pause.until for pause in pauses]
    return models_status.RecoveryPaused(
        until=None if None in ends else max(filter(None, ends)),
        reason=next((pause.reason for pause in reversed(pauses) if pause.reason), ""),
        pauses=[pause.id for pause in pauses],
        waits=live.held,
    )


def _cause(live: SessionLive) -> models_status.Cause | None:
    if live.cause is None:
        return None
    return models_status.Cause(
        name=live.cause,
        code=live.code,
        message=live.message,
        remedy=live.remedy,
        at=_time(live.detail, "causeAt"),
        detail={key: value for key, value in live.detail.items() if key not in _TIMES},
    )


def _liveness(live: SessionLive) -> models_status.Liveness | None:
    return None if live.liveness is None else models_status.Liveness(state=live.liveness, **live.liveness_detail)


def _platform_quality(live: SessionLive) -> models_status.PlatformQuality | None:
    return None if live.platform_quality is None else models_status.PlatformQuality(**live.platform_quality)


def _time(detail: Mapping[str, Any], key: str) -> float | None:
    value = detail.get(key)
    return float(value) if isinstance(value, int | float) else None


def session(record: SessionRecord, live: SessionLive) -> models.Session:
    """A session as configured."""
    return models.Session(
        id=record.id,
        connector=record.connector,
        labels=dict(record.labels),
        enabled=record.enabled,
        proxy=record.proxy,
        origin=record.origin,
        source=record.source,
        status=live.status,
        state=live.state,
    )


def message(send: Send) -> models.Message:
    """A text on its way."""
    return models.Message(
        id=send.id,
        session_id=send.session,
        to=send.to,
        state=send.state,
        message_id=send.message_id,
        error=send.error,
        created_at=send.created_at,
        updated_at=send.updated_at,
    )


def pairing(state: Pairing) -> models.PairingState:
    """What a phone scans or types."""
    return models.PairingState(qr=state.qr, code=state.code, expires_at=state.expires_at)


def audit_entry(number: int, entry: AuditEntry) -> models.AuditEntry:
    """An entry of the audit log."""
    return models.AuditEntry(
        number=number,
        at=entry.at,
        who=entry.who,
        role=entry.role,
        remote=entry.remote,
        action=entry.action,
        target=entry.target,
        outcome=entry.outcome,
        detail=dict(entry.detail),
    )


def interventions(since: float, counts: Mapping[tuple[str, str], int]) -> models.Interventions:
    """Counts by origin and action."""
    manual = {action: count for (origin, action), count in sorted(counts.items()) if origin == MANUAL}
    automatic = {action: count for (origin, action), count in sorted(counts.items()) if origin == AUTOMATIC}
    by_hand, by_itself = sum(manual.values()), sum(automatic.values())
    return models.Interventions(
        since=since,
        manual=manual,
        automatic=automatic,
        manual_total=by_hand,
        automatic_total=by_itself,
        automatic_share=round(by_itself / (by_hand + by_itself), 4) if by_hand + by_itself else None,
    )
