"""From a cause to a plan: what is done next about a session that is not connected, and when.

Used by the recovery actor, and by each session for itself when no plan comes: both decide the same.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from actors.recovery.backoff import bound, full_jitter
from actors.session.causes import Cause, Disposition


class Action(StrEnum):
    """What is done next."""

    RECONNECT = "reconnect"
    """Open a connection after the delay."""
    HALT = "halt"
    """Nothing until an operator acts."""
    WAIT_UNTIL = "wait_until"
    """Nothing until the time, then one attempt."""
    IDLE = "idle"
    """Back to pairing on demand."""
    NONE = "none"
    """Nothing: not a matter of recovery."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done next, and how it is called."""

    action: Action
    delay_s: float = 0.0
    """Seconds from now until the attempt; 0 where none is planned."""
    until: float | None = None
    """Seconds since 1970 when a temporary ban is over."""
    strategy: str = ""
    """at_once, back_off, slow_lane, few_tries, wait, pair_again, operator, pair_on_demand, none"""
    remedy: str = ""
    """What the operator can do."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The bounds of recovery."""

    base_s: float = 1.0
    """Longest first delay of the back-off."""
    cap_s: float = 32.0
    """Longest delay of the back-off; then delays of up to that much go on without end (the slow lane)."""
    at_once: int = 3
    """Reconnections without delay within ``AT_ONCE_WINDOW_S``."""
    few_tries: int = 3
    """Attempts after a refusal that may be permanent."""
    few_base_s: float = 10.0
    """Longest first delay of those attempts: they are worth little if they are over in a second."""
    few_cap_s: float = 120.0
    """Longest delay of those attempts."""
    refused_floor_s: float = 10.0
    """Shortest delay after HTTP 429 and 403: the server sees too much of us."""
    retry_after_max_s: float = 3600.0
    """How much of a server's Retry-After is believed."""
    ban_default_s: float = 24 * 3600.0
    """How long a temporary ban is taken to last if WhatsApp does not say."""
    ban_max_s: float = 30 * 24 * 3600.0
    """How much of a stated time is believed."""
    suspect_after: int = 5
    """Attempts after which repeated ``bad_session`` makes the auth state suspect."""

    @property
    def configured(self) -> tuple[float, float]:
        """What the configuration says of it, all else being fixed: a session tells by it which policy it follows."""
        return self.base_s, self.cap_s


AT_ONCE_WINDOW_S = 60.0
"""Seconds within which the reconnections without delay are counted."""
DEFAULT_POLICY = Policy()
SUSPECT_REMEDY = (
    "The auth state is probably damaged: unlink the device on the phone, then pair it again with `wavigil pair ID`. "
    "Nothing wipes it by itself."
)
_STANDING: Mapping[Disposition, tuple[Action, str]] = {
    Disposition.FEW_TRIES: (Action.HALT, "operator"),
    Disposition.HALT: (Action.HALT, "operator"),
    Disposition.BLOCK: (Action.HALT, "operator"),
    Disposition.IDLE: (Action.IDLE, "pair_on_demand"),
    Disposition.NONE: (Action.NONE, "none"),
}
"""What is done where no attempt is planned; of few tries: when they are used up."""
_SHY_OF = frozenset({Cause.HTTP_RATE_LIMITED, Cause.HTTP_FORBIDDEN})


def plan(
    cause: Cause,
    attempt: int,
    data: Mapping[str, Any],
    now: float,
    rng: random.Random,
    policy: Policy = DEFAULT_POLICY,
) -> Plan:
    """The plan for a session whose connection ended for ``cause``.

    ``attempt`` is the number, from 1, of the attempt to be planned.  It counts the attempts of the episode;
    for AT_ONCE only those at once within ``AT_ONCE_WINDOW_S``; for FEW_TRIES only those after such refusals.
    ``data`` is that of the ``closed`` event: ``expire`` and ``retryAfter`` (seconds) are read from it.
    ``now`` is in seconds since 1970.
    """
    within = bounds(cause, attempt, data, policy)
    if within is None:
        action, strategy = _STANDING[cause.disposition]
        return Plan(action, strategy="pair_again" if cause.needs_pairing else strategy, remedy=cause.remedy)
    delay = rng.uniform(*within)
    if cause.disposition is Disposition.WAIT_UNTIL:
        return Plan(Action.WAIT_UNTIL, delay, now + delay, "wait", cause.remedy)
    strategy = _strategy(cause, attempt, policy)
    return Plan(Action.RECONNECT, delay, strategy=strategy, remedy=remedy(cause, attempt, policy))


def bounds(
    cause: Cause, attempt: int, data: Mapping[str, Any], policy: Policy = DEFAULT_POLICY
) -> tuple[float, float] | None:
    """Shortest and longest delay, in seconds, of the plan made of the same; None where it plans no attempt."""
    match cause.disposition:
        case Disposition.FEW_TRIES if attempt <= policy.few_tries:
            return full_jitter(attempt - 1, base_s=policy.few_base_s, cap_s=policy.few_cap_s)
        case Disposition.AT_ONCE if attempt <= policy.at_once:
            return 0.0, 0.0
        case Disposition.AT_ONCE | Disposition.BACK_OFF:
            floor = policy.refused_floor_s if cause in _SHY_OF else 0.0
            floor = max(floor, _seconds(data.get("retryAfter"), policy.retry_after_max_s) or 0.0)
            doublings = _doublings(cause, attempt, policy)
            return full_jitter(doublings, base_s=policy.base_s, cap_s=policy.cap_s, floor_s=floor)
        case Disposition.WAIT_UNTIL:
            wait = _seconds(data.get("expire"), policy.ban_max_s) or policy.ban_default_s
            return wait, wait
    return None


def _doublings(cause: Cause, attempt: int, policy: Policy) -> int:
    """Of the back-off: it begins after the attempts at once, if the cause gets such."""
    return attempt - 1 - (policy.at_once if cause.disposition is Disposition.AT_ONCE else 0)


def _strategy(cause: Cause, attempt: int, policy: Policy) -> str:
    """What an attempt is part of."""
    if cause.disposition is Disposition.FEW_TRIES:
        return "few_tries"
    doublings = _doublings(cause, attempt, policy)
    if cause.disposition is Disposition.AT_ONCE and doublings < 0:
        return "at_once"
    return "slow_lane" if bound(doublings, base_s=policy.base_s, cap_s=policy.cap_s) >= policy.cap_s else "back_off"


def remedy(cause: Cause, attempt: int, policy: Policy = DEFAULT_POLICY) -> str:
    """What the operator can do; a `bad_session` that comes again and again makes the auth state suspect."""
    suspect = cause is Cause.BAD_SESSION and attempt >= policy.suspect_after
    return SUSPECT_REMEDY if suspect else cause.remedy


def _seconds(value: Any, most: float) -> float | None:
    """A positive number of seconds from what a peer sent, at most ``most``; None if it is rubbish."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(number, most) if math.isfinite(number) and number > 0 else None
