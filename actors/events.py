"""The one event vocabulary: webhooks, sockets, logs and databases use the same names."""

from enum import StrEnum


class EventType(StrEnum):
    """Every event that wavigil emits.  A name is never reused with another meaning."""

    SESSION_STATE = "session.state"
    """A session changed its state; data: state, previous, cause, code, reason, message, detail, attempt, generation."""
    SESSION_REMOVED = "session.removed"
    """The session is no more: what is known of it is forgotten, what waited to be sent has failed.

    Data: kept, true when it only left the configuration file: then its state waits for its return.
    """
    SESSION_PAIRED = "session.paired"
    """A pairing is complete and its credentials are committed; data: me (masked)."""
    SESSION_MESSAGE = "session.message"
    """An inbound message; data: messageId, from, timestamp (seconds since 1970), text (null for what is not text)."""
    SESSION_UNDECRYPTABLE = "session.undecryptable"
    """An inbound message could not be decrypted; data: messageId, from."""
    SESSION_SEND = "session.send"
    """A send changed its state; data: id, messageId, state, previous (null at first), error."""
    SESSION_RECEIPT = "session.receipt"
    """A receipt for a sent message; data: id (null if not ours), messageId, type."""
    HEALTH_CHANGED = "health.changed"
    """Status, quality or score changed; data: status, score, quality, components."""
    HEALTH_LIVENESS = "health.liveness"
    """Liveness of an open session changed; data: liveness, previous (null at first), since, evidence."""
    RECOVERY_STARTED = "recovery.started"
    """An episode began; data: episode, cause, strategy."""
    RECOVERY_ATTEMPT = "recovery.attempt"
    """An attempt is planned; data: episode, attempt, delaySeconds, cause."""
    RECOVERY_SUCCEEDED = "recovery.succeeded"
    """The session is open again; data: episode, attempts, seconds."""
    RECOVERY_STOPPED = "recovery.stopped"
    """Nothing automatic will be done; data: episode, cause, remedy."""
