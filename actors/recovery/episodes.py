"""Episodes: a stretch of trouble of one session, from when it began until a connection has proved that it works.

Folded from facts alone: transitions of the session, and what health judges of an open one (``health.liveness``,
``health.proof``).  So an episode knows also of what needs no plan: a restart at once, a verdict.  Being open ends
nothing: the connection has to prove itself, or it was one attempt more.  What is done about it stands in ``decide``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from actors.events import EventType
from actors.recovery.strategies import Strategy, ladder
from actors.session.causes_table import Cause
from actors.session.change import Change, is_failure
from actors.session.vocabulary import State

LOOP_EVERY = 5
"""Attempts of an episode between two ``recovery.loop``: nobody may overlook what does not heal."""
FORCED = "forced"
"""The doubt of an episode that is an operator's order and no trouble."""
SILENT = frozenset({Cause.HEARTBEAT_LOST, Cause.CONNECTION_LOST})
"""What is noticed by silence only: it began when the server was last heard of."""


class Outcome(StrEnum):
    """How an episode ended."""

    HEALED = "healed"
    """Open again, with proof in both directions."""
    HALTED = "halted"
    """Nothing automatic will be done."""
    OPERATOR = "operator"
    """The operator stopped the session."""
    REMOVED = "removed"
    """The session is no more."""
    UNPAIRED = "unpaired"
    """There is no device any more: it waits for somebody to ask for a QR."""


@dataclass(frozen=True, slots=True)
class Rung:
    """Where an episode was on its ladder; its counters as the episode has them."""

    strategy: Strategy
    at: float
    attempts: int = 0
    deeds: int = 0


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of trouble; times are seconds since 1970."""

    began_at: float
    """When the fault is believed to have begun."""
    cause: Cause
    """Of the first failure."""
    last_cause: Cause
    detected_at: float
    strategy: Strategy
    """The rung that it is on; it never becomes a lower one."""
    rung_at: float
    """When it got there."""
    failures: int = 1
    attempts: int = 0
    """Connections that were tried."""
    rung_attempts: int = 0
    """Those before it got to its rung."""
    rung_deeds: int = 0
    """What recovery has ordered on this rung."""
    waiting_since: float | None = None
    """The last failure; None while an attempt is under way."""
    opened_at: float | None = None
    """The connection that has to prove itself is open since; None: there is none."""
    doubt: str | None = None
    """What speaks against that connection: deaf, outbound_stuck, half_open, unproven; forced: an operator's order."""
    doubt_at: float | None = None
    pending_at: float | None = None
    """When something was ordered of which nothing is seen so far."""
    forced_from: Rung | None = None
    """Where it was when an operator ordered that; None: nobody did."""
    refused_at: float | None = None
    """When something that was ordered could last not be carried out."""
    escalated: bool = False
    """Operators were told that what is done does not help."""
    planned: Mapping[str, int] = field(default_factory=dict)
    """Attempts by who planned them: recovery, session (it heard nothing of recovery), rule (no plan is needed)."""
    held: bool = False
    """A pause held it up: how long it took says nothing about recovery."""
    ended_at: float | None = None
    healed_at: float | None = None
    outcome: Outcome | None = None

    @property
    def seconds(self) -> float | None:
        """From the beginning until it worked again, or until nothing more was done; None while it goes on."""
        end = self.ended_at if self.healed_at is None else self.healed_at
        return None if end is None else max(0.0, end - self.began_at)

    @property
    def open(self) -> bool:
        """Whether there is a connection that has yet to prove itself."""
        return self.opened_at is not None


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be told of an episode: one of the ``recovery.*`` events."""

    type: EventType
    at: float
    episode: Episode
    delay_s: float | None = None
    """For an attempt: seconds since the failure before it."""
    planned_by: str | None = None
    """For an attempt."""


Folded = tuple[Episode | None, tuple[Note, ...]]
"""The open episode of a session (None: no trouble), and what is to be told."""
_FINAL = {
    State.HALTED: Outcome.HALTED,
    State.BLOCKED: Outcome.HALTED,
    State.STOPPED: Outcome.OPERATOR,
    State.PAIRING: Outcome.UNPAIRED,
}
_DOUBTS: Mapping[str, Cause] = {
    "deaf": Cause.DEAF,
    "outbound_stuck": Cause.OUTBOUND_STUCK,
    "half_open": Cause.HEARTBEAT_LOST,
}
"""Liveness that is a fault -> the cause that it is called by."""


def fold(episode: Episode | None, change: Change) -> Folded:
    """The open episode of a session after a transition."""
    notes: list[Note] = []
    if is_failure(change) and change.cause is not None:
        if episode is None:
            silent = change.cause in SILENT and change.previous is State.OPEN and change.heard_at is not None
            began = min(change.at, change.heard_at) if silent and change.heard_at is not None else change.at
            episode = _begin(began, change.at, change.cause)
            episode = replace(episode, waiting_since=change.at)
            notes.append(Note(EventType.RECOVERY_STARTED, change.at, episode))
        else:
            episode = _failed(episode, change.cause, change.at)
            episode = replace(episode, waiting_since=change.at)
    if episode is None:
        return None, ()
    episode = replace(_seen(episode, change), held=episode.held or change.held)
    if change.state is State.CONNECTING and (episode.waiting_since is not None or change.previous is State.CLOSING):
        episode = _attempt(episode, change, notes)
    banned = change.state is State.BLOCKED and change.until is not None
    if change.state in _FINAL and not banned:
        ended = _end(episode, change.at, _FINAL[change.state])
        return None, (*notes, Note(EventType.RECOVERY_STOPPED, change.at, ended))
    return episode, tuple(notes)


def _begin(began_at: float, detected_at: float, cause: Cause) -> Episode:
    return Episode(min(began_at, detected_at), cause, cause, detected_at, ladder(cause)[0], detected_at)


def _failed(episode: Episode, cause: Cause, at: float) -> Episode:
    """One more failure.  A cause about which nothing may be tried ends the climbing; no other lowers the rung."""
    first = ladder(cause)[0]
    if first.order > episode.strategy.order:
        episode = climbed(episode, first, at)
    return replace(episode, last_cause=cause, failures=episode.failures + 1)


def climbed(episode: Episode, strategy: Strategy, at: float) -> Episode:
    """On a higher rung.  Raises ValueError for a lower one: an episode never climbs down."""
    if strategy.order < episode.strategy.order:
        raise ValueError(f"{strategy} is below {episode.strategy}")
    return replace(episode, strategy=strategy, rung_at=at, rung_attempts=episode.attempts, rung_deeds=0)


def ordered(episode: Episode, strategy: Strategy, at: float) -> Episode:
    """Something was ordered, on this rung or a higher one."""
    if strategy is not episode.strategy:
        episode = climbed(episode, strategy, at)
    return replace(episode, rung_deeds=episode.rung_deeds + 1, pending_at=at, forced_from=None)


def undone(episode: Episode, at: float) -> Folded:
    """What was ordered could not be carried out: as if it had not been.  Was it all the trouble, that is over.

    What an operator ordered says nothing about the trouble, so the episode is where it was before.
    """
    if episode.doubt == FORCED:
        ended = _end(episode, at, Outcome.OPERATOR)
        return None, (Note(EventType.RECOVERY_STOPPED, at, ended),)
    if (rung := episode.forced_from) is not None:
        episode = replace(episode, strategy=rung.strategy, rung_at=rung.at, rung_attempts=rung.attempts)
        return replace(episode, rung_deeds=rung.deeds, forced_from=None, pending_at=None, refused_at=at), ()
    return replace(episode, pending_at=None, refused_at=at, rung_deeds=max(0, episode.rung_deeds - 1)), ()


def forced(episode: Episode | None, strategy: Strategy, at: float, opened_at: float | None) -> Episode:
    """An operator ordered it.  Without trouble that is an episode of its own; a rung changes to a higher one only."""
    if episode is None:
        episode = _begin(at, at, Cause.OPERATOR_RECONNECT)
        episode = replace(episode, opened_at=opened_at, doubt=FORCED, doubt_at=at)
    here = Rung(episode.strategy, episode.rung_at, episode.rung_attempts, episode.rung_deeds)
    episode = replace(episode, forced_from=episode.forced_from or here)
    if strategy.order > episode.strategy.order:
        episode = climbed(episode, strategy, at)
    return replace(episode, rung_deeds=episode.rung_deeds + 1, pending_at=at)


def _seen(episode: Episode, change: Change) -> Episode:
    """What was ordered has begun; a new connection is beyond doubt, and has proved nothing."""
    if change.state is State.OPEN:
        if change.previous is State.OPEN:
            return episode
        return replace(_begun(episode), opened_at=change.at, waiting_since=None, doubt=None, doubt_at=None)
    return replace(_begun(episode), opened_at=None, doubt=None, doubt_at=None)


def _begun(episode: Episode) -> Episode:
    """Nothing is pending any more."""
    return replace(episode, pending_at=None, forced_from=None)


def _attempt(episode: Episode, change: Change, notes: list[Note]) -> Episode:
    since = change.at if episode.waiting_since is None else episode.waiting_since
    planned = dict(episode.planned)
    if change.planned_by is not None:
        planned[change.planned_by] = planned.get(change.planned_by, 0) + 1
    episode = replace(episode, attempts=episode.attempts + 1, waiting_since=None, planned=planned)
    delay = max(0.0, change.at - since)
    notes.append(Note(EventType.RECOVERY_ATTEMPT, change.at, episode, delay, change.planned_by))
    if episode.attempts % LOOP_EVERY == 0:
        notes.append(Note(EventType.RECOVERY_LOOP, change.at, episode))
    return episode


def judged(episode: Episode | None, liveness: str, since: float, at: float, opened_at: float) -> Folded:
    """The same after a change of the liveness of a session that is open since ``opened_at``."""
    cause = _DOUBTS.get(liveness)
    if cause is not None:
        if episode is None:
            episode = replace(_begin(since, at, cause), opened_at=opened_at, doubt=liveness, doubt_at=at)
            return episode, (Note(EventType.RECOVERY_STARTED, at, episode),)
        if episode.open and episode.doubt != liveness:
            return replace(_failed(episode, cause, at), doubt=liveness, doubt_at=at), ()
    elif episode is not None and episode.open and episode.doubt in _DOUBTS:
        # nothing was done about it yet, and the very connection that was in doubt works
        return None, (Note(EventType.RECOVERY_SUCCEEDED, at, _end(episode, at, Outcome.HEALED, healed_at=at)),)
    return episode, ()


def proved(episode: Episode | None, opened_at: float, proven: bool, at: float) -> Folded:
    """The same after health has told whether the connection that opened then works in both directions."""
    if episode is None or episode.opened_at is None or abs(episode.opened_at - opened_at) > SAME_S:
        return episode, ()
    if not proven:
        return (episode if episode.doubt else replace(episode, doubt="unproven", doubt_at=at)), ()
    if episode.doubt in _DOUBTS:
        return episode, ()
    ended = _end(episode, at, Outcome.HEALED, healed_at=episode.opened_at)
    return None, (Note(EventType.RECOVERY_SUCCEEDED, at, ended),)


SAME_S = 0.001
"""Times of one opening that were told on two ways differ by rounding at most."""


def removed(episode: Episode | None, at: float) -> Folded:
    """The same when the session is no more."""
    if episode is None:
        return None, ()
    return None, (Note(EventType.RECOVERY_STOPPED, at, _end(episode, at, Outcome.REMOVED)),)


def _end(episode: Episode, at: float, outcome: Outcome, healed_at: float | None = None) -> Episode:
    strategy = episode.strategy
    if outcome is Outcome.HALTED and strategy.order < Strategy.WAIT_UNTIL.order:
        strategy = Strategy.STOP  # few tries that are used up
    return replace(
        episode,
        strategy=strategy,
        ended_at=at,
        outcome=outcome,
        healed_at=healed_at,
        waiting_since=None,
        pending_at=None,
        forced_from=None,
    )
