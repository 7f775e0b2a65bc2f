"""What would be done about a session, and why: now, or at a time in the past, from what was recorded.  Pure.

It is the same folding and the same decision as the actor's (``book``, ``decide``), so that what it says of a time at
which something was done is what the ledger holds of it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from actors.events import EventType
from actors.recovery.book import Book, Known
from actors.recovery.budgets import HOUR_S, Budgets, Deed, room
from actors.recovery.decide import Decision, Limits
from actors.recovery.episodes import Episode
from actors.recovery.harm import HELD_S
from actors.recovery.keep import DEED, HARMFUL, REFUSED
from actors.recovery.learning import NOTHING, Learnt, doublings
from actors.recovery.plans import DEFAULT_POLICY, Policy, bounds, remedy
from actors.recovery.strategies import Strategy, ladder
from actors.recovery.survey import Survey, shard_of
from actors.session import resume
from actors.session.change import NO_FAILURE
from actors.session.counting import next_number
from actors.session.vocabulary import State
from actors.store import records
from actors.store.records import Action, OutboxEvent


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded of a session and around it, as of ``at``, in seconds since 1970; ``recorded`` reads it."""

    session: str
    at: float
    known: Mapping[str, Known]
    """Where each session of the fleet stood."""
    episode: records.Episode | None = None
    """The session's episode that was open then, as the ledger holds it now."""
    facts: tuple[tuple[str, OutboxEvent], ...] = ()
    """(source, event) of the session since that episode began, in their order."""
    orders: tuple[Action, ...] = ()
    """Of all sessions, from an hour before (or from the beginning of the episode), oldest first."""
    open_then: frozenset[int] = frozenset()
    """Rows of all episodes that were open then."""
    troubled: Mapping[str, float] = field(default_factory=dict)
    """Sessions with an open episode that may be a sign of a trouble that is shared, and when it was noticed."""
    learnt: Learnt = NOTHING
    complete: bool = True
    """False: the beginning of what happened is not kept any more."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would be done about a session at a time."""

    session: str
    at: float
    state: str | None
    """Where the session stood; None: it was not known."""
    decision: Decision
    episode: Episode | None
    complete: bool
    """False: the beginning of the episode is not kept any more, and counters may be too low."""
    ladder: tuple[str, ...] = ()
    budgets: Mapping[str, Any] = field(default_factory=dict)
    learnt: Mapping[str, Any] = field(default_factory=dict)
    next_delay_s: tuple[float, float] | None = None
    """Of the session's own next try, if it is closed: shortest and longest delay, as ``next_delay`` has them."""
    paused_until: float | None = None
    held_until: float | None = None

    def to_view(self) -> dict[str, Any]:
        """As JSON values."""
        episode = self.episode
        return {
            "sessionId": self.session,
            "at": self.at,
            "state": self.state,
            "complete": self.complete,
            "action": str(self.decision.strategy) if self.decision.act else None,
            "strategy": str(self.decision.strategy),
            "rule": str(self.decision.rule),
            "because": self.decision.because,
            "until": self.decision.until,
            "facts": dict(self.decision.facts),
            "episode": None if episode is None else _shown(episode),
            "ladder": list(self.ladder),
            "budgets": dict(self.budgets),
            "learnt": dict(self.learnt),
            "nextDelaySeconds": None if self.next_delay_s is None else list(self.next_delay_s),
            "heldUntil": self.held_until,
        }


def _shown(episode: Episode) -> dict[str, Any]:
    return {
        "since": episode.began_at,
        "detectedAt": episode.detected_at,
        "cause": str(episode.cause),
        "lastCause": str(episode.last_cause),
        "failures": episode.failures,
        "attempts": episode.attempts,
        "openedAt": episode.opened_at,
        "doubt": episode.doubt,
        "remedy": remedy(episode.last_cause, episode.attempts),
    }


def explain(
    recorded: Recorded,
    budgets: Budgets | None = None,
    limits: Limits | None = None,
    policy: Policy = DEFAULT_POLICY,
    paused: Mapping[str, float] | None = None,
) -> Explanation:
    """The explanation as of ``recorded.at``; ``paused``: sessions and until when their recovery was paused then."""
    book = rebuild(recorded, budgets, limits)
    session, at = recorded.session, recorded.at
    paused_until = (paused or {}).get(session)
    decision = book.decide(session, survey(book, recorded, paused), at, paused_until)
    case, known = book.cases.get(session), book.known.get(session)
    episode = None if case is None else case.episode
    rungs = () if episode is None else ladder(episode.last_cause)
    deeds = book.deeds.get(session, ())
    left = {strategy: room(book.budgets, deeds, strategy, at) for strategy in book.budgets.deeds}
    trials = {} if episode is None else {rung: book.learnt.of(episode.last_cause, rung) for rung in rungs}
    return Explanation(
        session=session,
        at=at,
        state=None if known is None else str(known.state),
        decision=decision,
        episode=episode,
        complete=recorded.complete,
        ladder=tuple(map(str, rungs)),
        budgets={str(s): {"used": r.used, "allowed": r.allowed, "freeAt": r.free_at} for s, r in left.items()},
        learnt={str(rung): {"helped": t.helped, "failed": t.failed} for rung, t in trials.items()},
        next_delay_s=None if episode is None else next_delay(recorded, policy),
        paused_until=paused_until,
        held_until=book.held.get(session),
    )


def next_delay(recorded: Recorded, policy: Policy) -> tuple[float, float] | None:
    """Bounds of the delay before the session's own next try, by its counters as it told them last.

    Of one that is connecting: of the try after that one, should it fail as the last one did.  None where none is
    planned, where it waits for the end of a pause, and where the counters are not known.
    """
    told = (event for _, event in reversed(recorded.facts) if event.type == EventType.SESSION_STATE)
    last = next(told, None)
    if last is None or last.data.get("held"):
        return None
    try:
        saved = resume.load(last.data.get("saved"))
    except resume.BadSavedState:
        return None
    trouble, waits = saved.trouble, saved.state is State.WAITING
    if trouble is None or Strategy.RECONNECT not in ladder(cause := trouble.cause):
        return None
    if not waits and (saved.state is not State.CONNECTING or cause in NO_FAILURE):
        return None
    number = next_number(saved, cause, last.at) - waits + doublings(recorded.learnt, cause)
    return bounds(cause, number, trouble.data, policy)


def survey(book: Book, recorded: Recorded, paused: Mapping[str, float] | None = None) -> Survey:
    """What was around the session; of the others' episodes only what was ordered last is known."""
    own, at = book.survey(recorded.at, paused), recorded.at
    held = {session for session, until in (paused or {}).items() if until > at}
    others = [session for session in recorded.troubled if session not in held | {recorded.session}]
    latest = {order.episode: order for order in recorded.orders if order.session != recorded.session}
    under_way = {
        order.session
        for episode, order in latest.items()
        if episode in recorded.open_then and order.session not in held
        if order.why.get(DEED) is not None and not _refused(order, at) and _unseen(order, book, at)
    }
    probes = {
        order.session: Deed(order.at, Strategy(order.strategy))
        for order in recorded.orders
        if order.episode in recorded.open_then and order.session not in held | {recorded.session}
        if order.why.get(DEED) is not None and not _refused(order, at) and Strategy(order.strategy).is_deed
    }
    lasting = [session for session in others if at - recorded.troubled[session] >= book.limits.lasting_s]
    return replace(
        own,
        troubled=Counter(own.troubled) + Counter(shard_of(session, book.known) for session in others),
        lasting=Counter(own.lasting) + Counter(shard_of(session, book.known) for session in lasting),
        probes={**own.probes, **probes},
        under_way=own.under_way | under_way,
    )


def _unseen(order: Action, book: Book, at: float) -> bool:
    """Whether nothing has come of it yet, no transition or no connection, and may still come."""
    stands, limits = book.known.get(order.session), book.limits
    if stands is None or stands.at < order.at:
        return at - order.at < limits.unanswered_s
    return stands.state is not State.OPEN and at - order.at < limits.unanswered_s + limits.patience_s


def rebuild(recorded: Recorded, budgets: Budgets | None = None, limits: Limits | None = None) -> Book:
    """The book as it was: the session's facts and the orders that it was given, folded in their order."""
    book = Book(budgets, limits)
    book.learnt = recorded.learnt
    row = recorded.episode
    if row is not None and not recorded.complete:
        began = min(row.started_at, row.detected_at or row.started_at)
        book.known[row.session] = Known("", State.OPEN, began, began)
    its = [order for order in recorded.orders if row is not None and order.episode == row.id]
    steps = [(order.at, order, False) for order in its]
    steps += [(order.ended_at, order, True) for order in its if order.ended_at and _refused(order, recorded.at)]
    pending = sorted(steps, key=lambda step: step[0])
    for source, event in recorded.facts:
        while pending and pending[0][0] < event.at:
            _ordered(book, *pending.pop(0))
        book.event(source, event)
    for step in pending:
        _ordered(book, *step)
    book.known = dict(recorded.known)
    book.deeds.clear()
    for order in recorded.orders:
        logins = order.why.get(DEED)
        if logins is not None and not _refused(order, recorded.at) and order.at > recorded.at - HOUR_S:
            book.did(order.session, Deed(order.at, Strategy(order.strategy), int(logins)))
        if order.outcome == HARMFUL and order.ended_at is not None and order.ended_at <= recorded.at:
            book.held[order.session] = order.ended_at + HELD_S
    return book


def _refused(order: Action, at: float) -> bool:
    """Whether it counts for nothing, as far as was known at that time."""
    return order.outcome == REFUSED and order.ended_at is not None and order.ended_at <= at


def _ordered(book: Book, at: float, order: Action, refused: bool) -> None:
    """An order, its refusal, or a rung that the decisions led to without an order."""
    if refused:
        book.refused(order.session, at)
    elif order.why.get("by") is not None:
        book.force(order.session, Strategy(order.strategy), at)
    else:
        book.replayed(order.session, Strategy(order.strategy), at, deed=order.why.get(DEED) is not None)
