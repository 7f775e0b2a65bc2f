"""From the recovery actor and the clock: what a session waits for between two attempts."""

from dataclasses import dataclass

from actors.recovery.plans import Action


@dataclass(frozen=True, slots=True)
class PlanArrived:
    """The answer to ``AskPlan``."""

    ask: int
    """The number of the question; the answer to another one is not heeded."""
    action: Action
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TimerDue:
    """The time of a ``SetTimer`` has come."""

    token: int
