"""Episodes: a stretch of trouble of one session, from its first failure until it is open again or nothing more is done.

Folded from transitions alone, so it knows also of what needs no plan: a restart at once, a verdict.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from actors.events import EventType
from actors.recovery.strategies import Strategy, ladder
from actors.session.causes import Cause
from actors.session.change import Change, is_failure
from actors.session.vocabulary import State


class Outcome(StrEnum):
    """How an episode ended."""

    HEALED = "healed"
    """Open again."""
    HALTED = "halted"
    """Nothing automatic will be done."""
    OPERATOR = "operator"
    """The operator stopped the session."""
    REMOVED = "removed"
    """The session is no more."""
    UNPAIRED = "unpaired"
    """There is no device any more: it waits for somebody to ask for a QR."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of trouble; times are seconds since 1970."""

    began_at: float
    cause: Cause
    """Of the first failure."""
    last_cause: Cause
    failures: int = 1
    attempts: int = 0
    """Connections that were tried."""
    waiting_since: float | None = None
    """The last failure; None while an attempt is under way."""
    ended_at: float | None = None
    outcome: Outcome | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it goes on."""
        return None if self.ended_at is None else max(0.0, self.ended_at - self.began_at)

    @property
    def strategy(self) -> Strategy:
        """What is done about its last cause."""
        return ladder(self.last_cause)[0]


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be told of an episode: one of the ``recovery.*`` events."""

    type: EventType
    at: float
    episode: Episode
    delay_s: float | None = None
    """For an attempt: seconds since the failure before it."""


_FINAL = {
    State.OPEN: Outcome.HEALED,
    State.HALTED: Outcome.HALTED,
    State.BLOCKED: Outcome.HALTED,
    State.STOPPED: Outcome.OPERATOR,
    State.PAIRING: Outcome.UNPAIRED,
}


def fold(episode: Episode | None, change: Change) -> tuple[Episode | None, tuple[Note, ...]]:
    """The open episode of a session after a transition (None: no trouble), and what is to be told."""
    notes: list[Note] = []
    if is_failure(change) and change.cause is not None:
        if episode is None:
            episode = Episode(change.at, change.cause, change.cause, waiting_since=change.at)
            notes.append(Note(EventType.RECOVERY_STARTED, change.at, episode))
        else:
            episode = replace(episode, last_cause=change.cause, failures=episode.failures + 1, waiting_since=change.at)
    if episode is None:
        return None, ()
    if change.state is State.CONNECTING and episode.waiting_since is not None:
        delay = max(0.0, change.at - episode.waiting_since)
        episode = replace(episode, attempts=episode.attempts + 1, waiting_since=None)
        notes.append(Note(EventType.RECOVERY_ATTEMPT, change.at, episode, delay))
    banned = change.state is State.BLOCKED and change.until is not None
    if change.state in _FINAL and not banned:
        outcome = _FINAL[change.state]
        ended = replace(episode, ended_at=change.at, outcome=outcome, waiting_since=None)
        type = EventType.RECOVERY_SUCCEEDED if outcome is Outcome.HEALED else EventType.RECOVERY_STOPPED
        return None, (*notes, Note(type, change.at, ended))
    return episode, tuple(notes)
