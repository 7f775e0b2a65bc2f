"""The ledger: one row an episode of trouble, one row an action, and an event for each thing that happens about them.

It follows the outboxes of the shards and of health with cursors in its own database, moved in the transaction of what
it wrote: an event counts exactly once, whatever is killed.  Orders are stored before they are given.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from actors.events import EventType
from actors.recovery import harm, keep
from actors.recovery.book import Book, Case, Step
from actors.recovery.budgets import HOUR_S, Deed
from actors.recovery.decide import Decision, Rule
from actors.recovery.episodes import Note, Outcome
from actors.recovery.keep import DEED, FAILED, FINAL, HARMFUL, HELPED, REFUSED, SUPERSEDED
from actors.recovery.learning import REMEMBERED_S, Learnt, Trials
from actors.recovery.strategies import Strategy
from actors.session.causes import Cause, cause_named
from actors.store import cursors, outbox, recovery_queries
from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.records import Action, NewEvent, OutboxEvent

IDENTITY = "identity:"
"""Before the name of an outbox: its identity, beside how far it was read."""


class Ledger:
    """What a transaction changes is kept only once it is committed."""

    def __init__(self, database: Database, book: Book) -> None:
        self._database = database
        self.book = book
        self._cursors: dict[str, int] = {}
        self.pending: dict[str, Action] = {}
        """What was ordered before it was loaded, by session, if nothing was seen of it until then."""

    async def load(self, now: float) -> None:
        """What an earlier actor left: open episodes, what was done within the last hour, and what it has learnt."""
        async with self._database.begin() as conn:
            for row in await recovery_queries.open_episodes(conn):
                case = self.book.cases[row.session] = Case(keep.restore(row), row.id)
                if case.episode.pending_at is not None:
                    for action in await recovery_queries.actions_in(conn, row.id):
                        if DEED in action.why and action.outcome is None:
                            self.pending[row.session] = action
            for action in await recovery_queries.actions_since(conn, now - HOUR_S - harm.HELD_S):
                if (logins := action.why.get(DEED)) is not None and action.outcome != REFUSED:
                    self.book.did(action.session, Deed(action.at, Strategy(action.strategy), int(logins)))
                if action.outcome == HARMFUL and action.ended_at is not None:
                    self.book.held[action.session] = action.ended_at + harm.HELD_S
        await self.learn(now)

    async def learn(self, now: float) -> None:
        """Reads what has helped before."""
        async with self._database.begin() as conn:
            self.book.learnt = await learnt(conn, now)

    async def cursor(self, source: str) -> int:
        """The last event of that outbox that is accounted for."""
        if source not in self._cursors:
            async with self._database.begin() as conn:
                self._cursors[source] = await cursors.get_cursor(conn, source)
        return self._cursors[source]

    async def resume(self, source: str, origin: outbox.Origin) -> bool:
        """Reads on in an outbox that was just opened; whether it took the place of another one.  Raises StoreError.

        That one is then read from its beginning: its numbers say nothing of what is accounted for.
        """
        before = await self.cursor(source)
        known = f"{IDENTITY}{source}"

        async def resume(conn: Statements) -> tuple[int, bool]:
            identity = await cursors.get_cursor(conn, known)
            upto = origin.resumed(identity, before)
            if upto < before:
                await cursors.forget_cursor(conn, source)
                await cursors.set_cursor(conn, source, upto)
            if identity != origin.identity:
                await cursors.set_left(conn, source, ())
                await cursors.forget_cursor(conn, known)
                await cursors.set_cursor(conn, known, origin.identity)
            return upto, identity != origin.identity and before > 0

        self._cursors[source], replaced = await self._database.run(resume)
        return replaced

    async def left(self, source: str) -> list[int]:
        """The events of that outbox, before its cursor, that are not accounted for."""
        return await self._database.run(lambda conn: cursors.get_left(conn, source))

    async def account(
        self,
        source: str,
        events: Sequence[OutboxEvent],
        upto: int | None = None,
        left: Collection[int] | None = None,
    ) -> int:
        """Accounts for the next events of an outbox, which reaches ``upto`` if that is more than they tell.

        ``left``: those that are left for later now; None: the same as before.  Returns the last number of the ledger's
        own outbox.  Raises StoreError.
        """
        after = self.book.copy()
        reached = max(upto or 0, events[-1].seq if events else 0)

        async def enter(conn: Statements) -> int:
            for event in events:
                for step in after.event(source, event):
                    await _enter(conn, after, step)
            await cursors.set_cursor(conn, source, reached)
            if left is not None:
                await cursors.set_left(conn, source, left)
            return await outbox.last_seq(conn)

        last = await self._database.run(enter)
        self.book, self._cursors[source] = after, reached
        return last

    async def order(self, session: str, decision: Decision, now: float) -> int:
        """Stores what is ordered; returns the last number of the outbox.  Raises StoreError."""
        after = self.book.copy()
        step = after.order(session, decision, now)
        return await self._keep(after, step, decision)

    async def escalate(self, session: str, decision: Decision, now: float) -> int | None:
        """Tells operators that there is no room for what would be done; None if they were told.  Raises StoreError."""
        after = self.book.copy()
        step = after.escalate(session, now)
        return None if step is None else await self._keep(after, step, decision)

    async def force(self, session: str, strategy: Strategy, who: str, now: float) -> int:
        """Stores what an operator orders; returns the last number of the outbox.  Raises StoreError."""
        after = self.book.copy()
        step = after.force(session, strategy, now)
        facts = {"cost": 1, "by": who, "cause": str(step.after.episode.last_cause) if step.after else None}
        return await self._keep(
            after, step, Decision(Rule.FORCED, f"{who} ordered it.", strategy, act=True, facts=facts)
        )

    async def refuse(self, session: str, now: float) -> None:
        """What was ordered could not be carried out.  Raises StoreError."""
        after = self.book.copy()
        step = after.refused(session, now)
        if step is not None and step.before is not None:
            row = step.before.row

            async def enter(conn: Statements) -> None:
                await recovery_queries.end_actions(conn, row, REFUSED, now)
                await _enter(conn, after, step)

            await self._database.run(enter)
            self.book = after

    async def _keep(self, after: Book, step: Step, decision: Decision) -> int:
        async def enter(conn: Statements) -> int:
            await _enter(conn, after, step, decision)
            return await outbox.last_seq(conn)

        last = await self._database.run(enter)
        self.book = after
        return last

    async def prune(self, before: float, batch: int = 500) -> None:
        """Deletes episodes that ended before that time, ``batch`` in one transaction.  Raises StoreError."""
        count = batch
        while count == batch:
            async with self._database.begin() as conn:
                count = await recovery_queries.prune_episodes(conn, before, batch)


async def learnt(conn: Statements, now: float) -> Learnt:
    """What the ledger says as of a time: actions that ended after it count for nothing."""
    since = now - REMEMBERED_S
    trials: dict[tuple[Cause, Strategy], Trials] = {}
    for (cause, strategy, outcome), number in (await recovery_queries.count_outcomes(conn, since, now)).items():
        if (known := cause_named(cause)) is None or outcome not in {HELPED, FAILED, HARMFUL}:
            continue
        before = trials.get((known, Strategy(strategy)), Trials())
        helped = number if outcome == HELPED else 0
        trials[known, Strategy(strategy)] = Trials(before.helped + helped, before.failed + number - helped)
    healed = await recovery_queries.count_attempts(conn, since, now)
    attempts = {known: counts for cause, counts in healed.items() if (known := cause_named(cause)) is not None}
    return Learnt(trials, attempts)


async def _enter(conn: Statements, book: Book, step: Step, decision: Decision | None = None) -> None:
    """Stores one step: the episode's row, its actions, the events."""
    row = 0 if step.before is None else step.before.row
    events: list[NewEvent] = []
    for note in step.notes:
        action: int | None = None
        why = None if decision is None else decision.why()
        if note.type is EventType.RECOVERY_STARTED:
            row = await _begin(conn, step.session, note)
        elif note.type is EventType.RECOVERY_ACTION and decision is not None:
            await recovery_queries.end_actions(conn, row, SUPERSEDED if step.cut_short else FAILED, note.at)
            why = {**decision.why(), DEED: decision.facts.get("cost", 1)}
            action = await _act(conn, row, step.session, note, why, decision.strategy)
        elif note.type is EventType.RECOVERY_ESCALATED and step.harmful:
            await recovery_queries.end_actions(conn, row, HARMFUL, note.at)
            why = {"rule": "harm", "because": "After what was done, other sessions of the same process failed."}
        elif note.episode.outcome is not None:
            unseen = step.before is not None and step.before.episode.pending_at is not None
            await _end(conn, row, step.session, note, SUPERSEDED if unseen else HELPED)
        events.append(NewEvent(note.at, note.type, step.session, keep.told(note, row, why, action)))
    await outbox.append(conn, events)
    after = step.after
    if after is None:
        return
    if after.row != row:
        after = replace(after, row=row)
        if step.session in book.cases:
            book.cases[step.session] = replace(book.cases[step.session], row=row)
    if not any(note.type is EventType.RECOVERY_STARTED and note.episode == after.episode for note in step.notes):
        await _update(conn, replace(step, after=after), decision)


async def _begin(conn: Statements, session: str, note: Note) -> int:
    first = note.episode
    row = await recovery_queries.begin_episode(
        conn, session, str(first.cause), str(first.strategy), first.began_at, keep.data(first), first.detected_at
    )
    if first.doubt is None:
        await _act(conn, row, session, note, {"rule": "plan", "because": first.cause.sentence})
    return row


async def _act(
    conn: Statements, row: int, session: str, note: Note, why: Mapping[str, Any], strategy: Strategy | None = None
) -> int:
    cause, what = str(note.episode.last_cause), str(strategy or note.episode.strategy)
    return await recovery_queries.begin_action(conn, row, session, cause, what, note.at, why)


async def _end(conn: Statements, row: int, session: str, note: Note, healed: str) -> None:
    """The last action is ``healed``: it has helped, unless nothing was seen of it; or nothing is done any more."""
    episode = note.episode
    if episode.outcome is Outcome.HEALED:
        await recovery_queries.end_actions(conn, row, healed, note.at)
    elif episode.outcome is Outcome.HALTED:
        known = await recovery_queries.actions_in(conn, row)
        if known and known[-1].strategy == episode.strategy:
            await recovery_queries.end_actions(conn, row, FINAL, note.at)
        else:
            await recovery_queries.end_actions(conn, row, FAILED, note.at)
            await _act(conn, row, session, note, {"rule": "stands", "because": episode.last_cause.sentence})
            await recovery_queries.end_actions(conn, row, FINAL, note.at)
    else:
        await recovery_queries.end_actions(conn, row, SUPERSEDED, note.at)
    await recovery_queries.update_episode(conn, row, episode.attempts, keep.data(episode), str(episode.strategy))
    await recovery_queries.end_episode(conn, row, str(episode.outcome), note.at, episode.healed_at)


async def _update(conn: Statements, step: Step, decision: Decision | None = None) -> None:
    """The row of an episode that goes on; a rung that no order led to is an action, too."""
    after, before = step.after, step.before
    if after is None:
        return
    episode = after.episode
    climbed = before is not None and before.episode.strategy.order < episode.strategy.order
    if climbed and not any(note.type is EventType.RECOVERY_ACTION for note in step.notes):
        await recovery_queries.end_actions(conn, after.row, FAILED, episode.rung_at)
        note = Note(EventType.RECOVERY_ACTION, episode.rung_at, episode)
        why = {"rule": "climb", "because": episode.last_cause.sentence} if decision is None else decision.why()
        await _act(conn, after.row, step.session, note, why)
    await recovery_queries.update_episode(conn, after.row, episode.attempts, keep.data(episode), str(episode.strategy))
