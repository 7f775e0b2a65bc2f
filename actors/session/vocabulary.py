"""The words for what a session is, and for what is to be done about a closed connection."""

from enum import StrEnum


class State(StrEnum):
    """What a session is."""

    STARTING = "starting"
    """Its actor runs, but it has no link to a connector yet."""
    CONNECTING = "connecting"
    """A connection attempt is under way, or waits for admission."""
    PAIRING = "pairing"
    """There is no paired device.  Without a connection until somebody asks for a QR."""
    OPEN = "open"
    """Logged in."""
    WAITING = "waiting"
    """Waits for the time of the next attempt."""
    CLOSING = "closing"
    """A connection is being closed because we want it closed."""
    STOPPED = "stopped"
    """Stopped by the operator."""
    BLOCKED = "blocked"
    """WhatsApp blocked the account, for a time or for good."""
    HALTED = "halted"
    """Trying again would not help or would do harm: an operator has to act."""
    PARKED = "parked"
    """Its actor crashed too often.  Set by the supervisor, never by the session itself."""


AT_REST = frozenset({State.STOPPED, State.BLOCKED, State.HALTED})
"""States in which nothing is opened without an operator, save after a temporary ban."""


class Disposition(StrEnum):
    """What is done about a cause without asking an operator."""

    AT_ONCE = "at_once"
    """Reconnect at once; only a third repetition within a minute is slowed down."""
    BACK_OFF = "back_off"
    """Transient: reconnect after a random delay from a growing range, without end."""
    FEW_TRIES = "few_tries"
    """Reconnect a few times, then halt."""
    WAIT_UNTIL = "wait_until"
    """Blocked for a known time: one attempt after it."""
    HALT = "halt"
    """No attempt until an operator acts."""
    BLOCK = "block"
    """The account is blocked: no attempt until an operator decides otherwise."""
    IDLE = "idle"
    """Back to pairing on demand: a QR is shown when somebody asks for it."""
    NONE = "none"
    """Nothing: it is what somebody wanted, or somebody else's business."""

    @property
    def state(self) -> State:
        """The state that a session is in while this is done."""
        return _STATES[self]

    @property
    def is_verdict(self) -> bool:
        """Whether a session stays as it is, over restarts too, until an operator acts or its time is up."""
        return self in {Disposition.WAIT_UNTIL, Disposition.HALT, Disposition.BLOCK}


_STATES = {
    Disposition.AT_ONCE: State.WAITING,
    Disposition.BACK_OFF: State.WAITING,
    Disposition.FEW_TRIES: State.WAITING,
    Disposition.WAIT_UNTIL: State.BLOCKED,
    Disposition.HALT: State.HALTED,
    Disposition.BLOCK: State.BLOCKED,
    Disposition.IDLE: State.PAIRING,
    Disposition.NONE: State.STOPPED,
}
