"""What recovery keeps of every session, without clock or I/O: where it stands, its open episode, what was done to it.

The same folding serves the actor and whoever replays what was recorded (``explain``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from actors.events import EventType
from actors.recovery import harm
from actors.recovery.budgets import Budgets, Deed, recent
from actors.recovery.decide import Around, Decision, Limits, decide, has_failed
from actors.recovery.episodes import (
    SAME_S,
    Episode,
    Folded,
    Note,
    climbed,
    fold,
    forced,
    judged,
    ordered,
    proved,
    removed,
    undone,
)
from actors.recovery.learning import NOTHING, Learnt
from actors.recovery.permits import BARRED
from actors.recovery.strategies import Strategy
from actors.recovery.survey import Known, Survey, surveyed
from actors.session.change import Change, is_failure, read_change
from actors.session.vocabulary import State
from actors.store.records import LEFT, OutboxEvent, SessionState

__all__ = ["Book", "Case", "Known", "Step"]


@dataclass(frozen=True, slots=True)
class Case:
    """An open episode."""

    episode: Episode
    row: int = 0
    """Its row in the ledger; 0 before it has one."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one fact, or one order, has changed."""

    session: str
    before: Case | None
    after: Case | None
    notes: tuple[Note, ...] = ()
    harmful: bool = False
    """What was done did harm to others."""
    cut_short: bool = False
    """What was done before had yet to show what it is worth when this was ordered in its place."""


class Book:
    """Cheap to copy: what a transaction changes is kept only once it is committed."""

    def __init__(self, budgets: Budgets | None = None, limits: Limits | None = None) -> None:
        self.budgets = budgets or Budgets()
        self.limits = limits or Limits()
        self.learnt: Learnt = NOTHING
        self.known: dict[str, Known] = {}
        self.cases: dict[str, Case] = {}
        self.deeds: dict[str, tuple[Deed, ...]] = {}
        self.held: dict[str, float] = {}
        self.watches: tuple[harm.Watch, ...] = ()

    def copy(self) -> "Book":
        """Another one that says the same; the values themselves never change."""
        other = Book(self.budgets, self.limits)
        other.learnt = self.learnt
        other.known, other.cases = dict(self.known), dict(self.cases)
        other.deeds, other.held, other.watches = dict(self.deeds), dict(self.held), self.watches
        return other

    # facts

    def states(self, shard: str, states: Mapping[str, SessionState]) -> None:
        """The stored states of a shard's sessions: where they stand now, whatever is still to be read."""
        for session, stored in states.items():
            if not stored.data.get(LEFT):
                self._stands(session, shard, _state(stored.state), stored.since)

    def _stands(self, session: str, shard: str, state: State, at: float) -> None:
        before = self.known.get(session)
        if before is not None and before.shard != shard and before.at > at:
            return  # what one shard tells is in its order, whatever its clock says
        still = before is not None and before.state is State.OPEN is state
        opened = (before.opened_at if still and before is not None else at) if state is State.OPEN else None
        self.known[session] = Known(shard, state, at, opened)

    def event(self, source: str, event: OutboxEvent) -> tuple[Step, ...]:
        """An event of the outbox of a shard, or of health."""
        session = event.session
        if session is None:
            return ()
        match event.type:
            case EventType.SESSION_STATE:
                change = read_change(event.at, event.data)
                return () if change is None else self._changed(session, source, change)
            case EventType.SESSION_REMOVED:
                self.known.pop(session, None)
                return self._put(session, removed(self._episode(session), event.at))
            case EventType.HEALTH_LIVENESS:
                return self._judged(session, event)
            case EventType.HEALTH_PROOF:
                opened, proven = event.data.get("openedAt"), event.data.get("proven") is True
                if isinstance(opened, int | float):
                    return self._put(session, proved(self._episode(session), float(opened), proven, event.at))
        return ()

    def _changed(self, session: str, shard: str, change: Change) -> tuple[Step, ...]:
        self._stands(session, shard, change.state, change.at)
        steps = self._put(session, fold(self._episode(session), change))
        if is_failure(change):
            steps += self._blame(session, change.at)
        return steps

    def _judged(self, session: str, event: OutboxEvent) -> tuple[Step, ...]:
        known, since = self.known.get(session), event.data.get("since")
        if known is None or known.opened_at is None:
            return ()
        opening, times = event.data.get("openedAt"), (known.opened_at, known.at)
        meant = isinstance(opening, int | float) and any(abs(at - opening) <= SAME_S for at in times)
        if not meant and known.at > event.at:
            return ()  # it has left that state since
        began = float(since) if isinstance(since, int | float) else event.at
        liveness = str(event.data.get("liveness"))
        return self._put(session, judged(self._episode(session), liveness, began, event.at, known.opened_at))

    def _blame(self, session: str, at: float) -> tuple[Step, ...]:
        """A failure may be what something that was done to a sibling has brought about."""
        watches = tuple(harm.failed(watch, session, at) for watch in self.watches if not harm.over(watch, at))
        guilty = [watch for watch in watches if watch.harmful]
        self.watches = tuple(watch for watch in watches if not watch.harmful)
        steps: list[Step] = []
        for watch in guilty:
            self.held[watch.session] = at + harm.HELD_S
            case = self.cases.get(watch.session)
            if case is not None and case.episode.strategy.order < Strategy.SLOW_LANE.order:
                slow = climbed(case.episode, Strategy.SLOW_LANE, at)
                slow = replace(slow, escalated=True, pending_at=None, forced_from=None)
                after = self.cases[watch.session] = replace(case, episode=slow)
                told = (Note(EventType.RECOVERY_ESCALATED, at, slow),)
                steps.append(Step(watch.session, case, after, told, harmful=True))
        return tuple(steps)

    def _episode(self, session: str) -> Episode | None:
        case = self.cases.get(session)
        return None if case is None else case.episode

    def _put(self, session: str, folded: Folded) -> tuple[Step, ...]:
        episode, notes = folded
        before = self.cases.get(session)
        if episode is None:
            self.cases.pop(session, None)
            return () if before is None and not notes else (Step(session, before, None, notes),)
        fresh = before is None or any(note.type is EventType.RECOVERY_STARTED for note in notes)
        after = self.cases[session] = Case(episode, 0 if fresh or before is None else before.row)
        return (Step(session, before, after, notes),) if after != before else ()

    # decisions

    def survey(self, now: float, paused: Mapping[str, float] | None = None) -> Survey:
        """What decisions about all sessions have in common; ``paused``: session -> until when its recovery is."""
        held = frozenset(session for session, until in (paused or {}).items() if until > now)
        episodes = {session: case.episode for session, case in self.cases.items() if session not in held}
        return surveyed(self.known, episodes, self.deeds, held, now, self.limits)

    def around(self, session: str, survey: Survey, now: float, paused_until: float | None = None) -> Around:
        """What a decision about that session needs beside its episode."""
        known = self.known.get(session)
        shard = known.shard if known is not None else ""
        return Around(
            budgets=self.budgets,
            limits=self.limits,
            learnt=self.learnt,
            deeds=recent(self.deeds.get(session, ()), now),
            process_deeds=survey.deeds.get(shard, ()),
            siblings=survey.open.get(shard, 0) - (known is not None and known.state is State.OPEN),
            sessions=sum(survey.sessions.values()),
            troubled=sum(survey.troubled.values()),
            process_sessions=survey.sessions.get(shard, 0),
            process_troubled=survey.lasting.get(shard, 0),
            probes=tuple(deed for id, deed in survey.probes.items() if id != session),
            under_way=len(survey.under_way - {session}),
            held_until=self.held.get(session),
            paused_until=paused_until,
            process_paused=shard in survey.paused,
        )

    def decide(self, session: str, survey: Survey, now: float, paused_until: float | None = None) -> Decision:
        """What is done about a session as of ``now``."""
        return decide(self._episode(session), self.around(session, survey, now, paused_until), now)

    def escalate(self, session: str, now: float) -> Step | None:
        """Operators are told, once in an episode, that there is no more room for what would be done."""
        case = self.cases[session]
        if case.episode.escalated:
            return None
        after = self.cases[session] = replace(case, episode=replace(case.episode, escalated=True))
        return Step(session, case, after, (Note(EventType.RECOVERY_ESCALATED, now, after.episode),))

    def order(self, session: str, decision: Decision, now: float) -> Step:
        """What was decided is ordered; the slow lane of a session that tries by itself needs no order."""
        case = self.cases[session]
        if decision.strategy is Strategy.SLOW_LANE and case.episode.strategy is not Strategy.SLOW_LANE:
            # where nothing was ordered there is nothing that did not help: that it lasts is told by recovery.loop
            ordered_to = case.episode.open and case.episode.rung_deeds > 0
            tried = case.episode.strategy.is_deed or ordered_to or BARRED in decision.facts
            slow = climbed(case.episode, Strategy.SLOW_LANE, now)
            slow = replace(slow, escalated=case.episode.escalated or tried, pending_at=None, forced_from=None)
            notes = (Note(EventType.RECOVERY_ESCALATED, now, slow),) if tried and not case.episode.escalated else ()
            after = self.cases[session] = replace(case, episode=slow)
            return Step(session, case, after, notes)
        logins = decision.facts.get("cost", 1)
        self.did(session, Deed(now, decision.strategy, logins))
        if decision.strategy.is_deed and (known := self.known.get(session)) is not None:
            siblings = {id for id, k in self.known.items() if k.shard == known.shard and k.state is State.OPEN}
            self.watches = (*self.watches, harm.Watch(session, now, frozenset(siblings - {session})))
        after = self.cases[session] = replace(case, episode=ordered(case.episode, decision.strategy, now))
        unseen = case.episode.forced_from is not None
        return Step(session, case, after, (Note(EventType.RECOVERY_ACTION, now, after.episode),), cut_short=unseen)

    def force(self, session: str, strategy: Strategy, now: float) -> Step:
        """An operator orders a strategy, whatever budgets say; it counts in them."""
        case, known = self.cases.get(session), self.known.get(session)
        opened_at = None if known is None else known.opened_at
        episode = forced(None if case is None else case.episode, strategy, now, opened_at)
        self.did(session, Deed(now, strategy))
        after = self.cases[session] = Case(episode, 0 if case is None else case.row)
        started = () if case is not None else (Note(EventType.RECOVERY_STARTED, now, episode),)
        cut_short = case is not None and not (
            case.episode.forced_from is None and has_failed(case.episode, self.limits, now)
        )
        told = (*started, Note(EventType.RECOVERY_ACTION, now, episode))
        return Step(session, case, after, told, cut_short=cut_short)

    def replayed(self, session: str, strategy: Strategy, at: float, *, deed: bool) -> None:
        """What the ledger says was ordered, or where the episode was led without an order."""
        case = self.cases.get(session)
        if case is None:
            return
        episode = case.episode
        if deed:
            episode = ordered(episode, strategy, at)
        elif strategy.order > episode.strategy.order:
            episode = replace(climbed(episode, strategy, at), pending_at=None, forced_from=None)
        self.cases[session] = replace(case, episode=episode)

    def did(self, session: str, deed: Deed) -> None:
        """Counts a deed; those that no budget sees any more are forgotten."""
        self.deeds[session] = (*recent(self.deeds.get(session, ()), deed.at), deed)

    def refused(self, session: str, now: float) -> Step | None:
        """What was ordered could not be carried out, so it is as if it had not been: it is tried again later."""
        case = self.cases.get(session)
        if case is None or case.episode.pending_at is None:
            return None
        episode = case.episode
        deeds = self.deeds.get(session, ())
        self.deeds[session] = tuple(deed for deed in deeds if deed.at != episode.pending_at)
        return next(iter(self._put(session, undone(episode, now))), None)


def _state(name: str) -> State:
    return State(name) if name in _STATES else State.STARTING


_STATES = frozenset(state.value for state in State)
