"""What a session remembers: the machine's state as frozen records, and what of it outlives the actor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from actors.recovery.plans import DEFAULT_POLICY, Plan, Policy
from actors.session.causes_table import Cause
from actors.session.vocabulary import State


class Goal(StrEnum):
    """Why a connection is being closed by us, and so what comes after it."""

    STOP = "stop"
    REOPEN = "reopen"
    LOGOUT = "logout"
    MOVE = "move"
    """To another connector process."""
    HEAL = "heal"
    """A new one, since recovery found that it does not work."""
    GIVE_UP = "give_up"
    """It did not open in time."""


class Purpose(StrEnum):
    """What the session's one timer is for."""

    PLAN = "plan"
    """The recovery actor has until then to answer."""
    RETRY = "retry"
    """The next attempt."""
    SETTLE = "settle"
    """A link is new: a ``closed`` that nobody saw may still arrive."""
    WATCH = "watch"
    """A connection has until then to open, or to show the next QR."""
    CLOSE = "close"
    """A connection has until then to be closed."""
    BAN = "ban"
    """A temporary ban is over."""
    HOLD = "hold"
    """A pause of recovery is over."""


PURPOSES: Mapping[Purpose, frozenset[State]] = {
    Purpose.PLAN: frozenset({State.WAITING}),
    Purpose.RETRY: frozenset({State.WAITING}),
    Purpose.SETTLE: frozenset({State.STARTING, State.WAITING, State.PAIRING}),
    Purpose.WATCH: frozenset({State.CONNECTING, State.PAIRING}),
    Purpose.CLOSE: frozenset({State.CLOSING}),
    Purpose.BAN: frozenset({State.BLOCKED}),
    Purpose.HOLD: frozenset({State.WAITING}),
}
"""The states in which a timer makes sense; a move to another one cancels it."""


@dataclass(frozen=True, slots=True)
class Timer:
    """The timer that is running."""

    token: int
    """Tells it from those before: a timer that was cancelled too late is recognised by it."""
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Trouble:
    """One end of a connection, or why there is none."""

    cause: Cause
    code: int = 0
    """Status code; 0 if there is none."""
    reason: str = ""
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What keeps a session from connecting by itself, over stops and restarts too."""

    state: State
    """BLOCKED or HALTED."""
    trouble: Trouble
    until: float | None = None
    """Seconds since 1970 when it ends by itself; None: when an operator acts."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """A command that waits for a QR to appear."""

    ref: str
    phone: str | None = field(default=None, repr=False)
    """Digits only; None: the QR itself is wanted."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What outlives the actor; ``actors.session.resume`` turns it into what a database holds."""

    state: State = State.STARTING
    since: float = 0.0
    """Seconds since 1970."""
    trouble: Trouble | None = None
    verdict: Verdict | None = None
    attempt: int = 0
    refusals: int = 0
    restarts: tuple[float, ...] = ()
    stale_auth: bool = False
    me: str | None = None
    down_since: float | None = None
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy that a session's connections have to go through, as far as it makes a difference."""

    name: str
    mark: str = ""
    """Tells it, with its address, from every other one."""
    known: bool = True
    """Whether the configuration says where it is."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """All that the machine knows; times are seconds since 1970."""

    seed: str = ""
    """Seeds the jitter of plans that the session makes for itself; its id will do."""
    policy: Policy = DEFAULT_POLICY
    """By which it makes them."""
    state: State = State.STARTING
    since: float = 0.0
    resumed: bool = False
    """The saved state has arrived: nothing is done before it."""
    retired: bool = False
    """A newer actor owns the session: nothing is done any more."""

    link: bool = False
    """There is a link to the connector."""
    can_proxy: bool = False
    """The connector can connect through a proxy."""
    proxy: Proxy | None = None
    """Through what it has to connect; None: through nothing."""
    proxied: str | None = None
    """The mark of the proxy that the last connection was opened through."""
    connected: bool = False
    """A connection was opened, or is being opened, and has not ended yet."""
    paired: bool = False
    me: str | None = None
    opened_at: float | None = None
    """Open since."""
    down_since: float | None = None
    """Not open since; None while it is."""
    timelocked: bool = False
    """WhatsApp restricts what the account may send."""

    trouble: Trouble | None = None
    """The last one; it stays visible when the session is open again."""
    verdict: Verdict | None = None
    stale_auth: bool = False
    """WhatsApp threw the device out: this auth state must never be used for a login again."""
    replaced: int = 0
    """The generation under which main put this auth state in its place, as far as the session knows; 0: it never did.

    What is held against the session concerns no later one."""
    attempt: int = 0
    """Attempts of this episode, the planned one included; it ends when the session was open for a minute."""
    refusals: int = 0
    """Refusals of this episode that get few tries."""
    restarts: tuple[float, ...] = ()
    """When it reconnected at once, within the last minute."""

    goal: Goal | None = None
    """While CLOSING."""
    logout_ref: str | None = None
    """The logout command that waits for the end of the connection."""
    resetting: bool = False
    """The auth state is being deleted."""
    waiters: tuple[Waiter, ...] = ()
    qr: str | None = field(default=None, repr=False)
    qr_expires_at: float | None = None

    timer: Timer | None = None
    timers: int = 0
    """How many timers there have been."""
    asks: int = 0
    """How many plans have been asked for: the number of the last."""
    fallback: Plan | None = None
    """What is done if the plan asked for does not come."""
    next_attempt_at: float | None = None
    """While WAITING, once it is known."""
    due: bool = False
    """The time of the next attempt has come, but there is no link."""
    paused_until: float | None = None
    """Recovery is paused: no connection is opened by itself before that time (infinity: until it is told otherwise)."""
    ordered: bool = False
    """The next connection is an operator's order, or no matter of recovery: a pause does not hold it up."""
    planned_by: str = "rule"
    """Who planned the next attempt: recovery, session (recovery did not answer), rule (no plan is needed)."""
    healing: Cause | None = None
    """Why recovery had the connection closed, while that goes on."""

    @property
    def reconnect_attempts(self) -> int:
        """Attempts of this episode, as shown: 0 when open, and when stopped, since nothing is attempted then."""
        return 0 if self.state in {State.OPEN, State.STOPPED} else self.attempt

    @property
    def held(self) -> bool:
        """Whether it waits for the end of a pause."""
        return self.timer is not None and self.timer.purpose is Purpose.HOLD

    @property
    def until(self) -> float | None:
        """When a temporary ban is over."""
        return self.verdict.until if self.verdict else None

    def to_save(self) -> Saved:
        """What has to outlive the actor; store it with each reported transition."""
        return Saved(
            state=self.state,
            since=self.since,
            trouble=self.trouble,
            verdict=self.verdict,
            attempt=self.attempt,
            refusals=self.refusals,
            restarts=self.restarts,
            stale_auth=self.stale_auth,
            me=self.me,
            down_since=self.down_since,
            replaced=self.replaced,
        )
