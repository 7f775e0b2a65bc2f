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
    SESSION_CANARY = "session.canary"
    """A canary of another session of this daemon arrived; data: messageId.  It is no message of anybody's."""
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
    HEALTH_PROOF = "health.proof"
    """Whether a connection that opened works; data: openedAt, proven, needed (what proves it), evidence (times).

    Once for each opening: as soon as there is proof in both directions, or when there was none for too long.
    """
    RECOVERY_STARTED = "recovery.started"
    """An episode began; data: episode, cause, strategy, since (when the fault is believed to have begun)."""
    RECOVERY_ATTEMPT = "recovery.attempt"
    """A connection is tried; data: episode, attempt, delaySeconds, cause, strategy, plannedBy."""
    RECOVERY_LOOP = "recovery.loop"
    """Every fifth attempt of an episode; data: episode, attempts, cause, strategy, seconds (so far), remedy."""
    RECOVERY_ACTION = "recovery.action"
    """Recovery does something about a session; data: episode, action, cause, strategy, why."""
    RECOVERY_ESCALATED = "recovery.escalated"
    """What was done did not help or did harm, or its budget is used up: an operator should look.

    Data: episode, cause, strategy, why, remedy.  Tries go on in the slow lane.
    """
    RECOVERY_OUTAGE = "recovery.outage"
    """Nobody of a connector gets through, and one session at a time tries for all; or that is over.  Of no session.

    Data: connector, cause (of the last failure), since, ended (null while it lasts); seconds since 1970.
    """
    RECOVERY_SUCCEEDED = "recovery.succeeded"
    """The session is open and has proved that it works; data: episode, attempts, seconds, strategy, cause, held."""
    RECOVERY_STOPPED = "recovery.stopped"
    """Nothing automatic will be done; data: episode, cause, outcome, strategy, remedy."""
