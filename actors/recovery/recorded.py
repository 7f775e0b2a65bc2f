"""Reading what was recorded of a session and of what was around it, as of a time: read-only, from any process."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from actors.events import EventType
from actors.recovery.book import Known
from actors.recovery.budgets import HOUR_S
from actors.recovery.decide import Limits
from actors.recovery.explain import Recorded
from actors.recovery.follow import HEALTH, OF_HEALTH
from actors.recovery.learning import Learnt
from actors.recovery.ledger import learnt
from actors.recovery.strategies import Strategy
from actors.recovery.survey import is_troubled
from actors.session.vocabulary import State
from actors.store import outbox, recovery_queries, shard_queries
from actors.store.direct import Operation, Statements
from actors.store.records import LEFT, Action, Episode, OutboxEvent

Run = Callable[[str, Operation[Any]], Awaitable[Any]]
"""Runs an operation on the database of that name (shard-3, health, recovery), read-only."""
RECOVERY = "recovery"
OF_SHARD = (EventType.SESSION_STATE, EventType.SESSION_REMOVED)
FINAL = frozenset({"wait_until", "pair_again", "stop", "none"})
"""Strategies of episodes about which nothing may be tried."""


async def recorded(
    run: Run, shards: Sequence[str], session: str, at: float, *, live: bool = True, search: Run | None = None
) -> Recorded:
    """Reads it.  ``live``: ``at`` is now, which spares reading how all sessions stood before.

    ``search`` is given what reads much of an outbox, else ``run``, on whose connections others may wait.  Raises
    StoreError.
    """
    search = search or run
    known: dict[str, Known] = {}
    # all of the fleet: whether trouble is shared, and what is being done to others, is part of each decision
    for shard in shards:
        for id, stood in (await (run if live else search)(shard, _standing(shard, at, live))).items():
            if id not in known or known[id].at < stood.at:  # one that moved left its events where it was
                known[id] = stood

    async def of_ledger(conn: Statements) -> tuple[list[Episode], list[Action], Learnt]:
        return await _of_ledger(conn, session, at)

    open_then, orders, wisdom = await run(RECOVERY, of_ledger)
    episode = next((row for row in open_then if row.session == session), None)
    facts: list[tuple[str, OutboxEvent]] = []
    began = at
    if episode is not None:
        began = min(episode.started_at, episode.detected_at or episode.started_at)
        lived_in = [known[session].shard] if session in known else shards
        for source in (*lived_in, HEALTH):
            facts += [(source, event) for event in await search(source, _events(source, session, began, at))]
    facts.sort(key=lambda fact: (fact[1].at, fact[0] == HEALTH, fact[1].seq))
    complete = episode is None or (bool(facts) and facts[0][1].at <= began)
    return Recorded(
        session=session,
        at=at,
        known=known,
        episode=episode,
        facts=tuple(facts),
        orders=tuple(orders),
        open_then=frozenset(row.id for row in open_then),
        troubled={row.session: row.detected_at or row.started_at for row in open_then if _troubled(row, at)},
        learnt=wisdom,
        complete=complete,
    )


def _troubled(row: Episode, at: float) -> bool:
    """As of that time; the slow lane is the last rung, so that a row that is on it tells when it got there."""
    if row.strategy in FINAL:
        return row.ended_at is not None
    return is_troubled(Strategy(row.strategy), float(row.data.get("rungAt", row.started_at)), at, Limits())


def _standing(shard: str, at: float, live: bool) -> Operation[dict[str, Known]]:
    """Where the sessions of a shard stood: as stored, or by the last transition until then."""

    async def stored(conn: Statements) -> dict[str, Known]:
        states = (await shard_queries.load_states(conn)).values()
        return _known(shard, [(s.session, s.state, s.since) for s in states if not s.data.get(LEFT)])

    async def told(conn: Statements) -> dict[str, Known]:
        last = await shard_queries.last_told(conn, at)
        transitions = [(id, event) for id, event in last.items() if event.type == EventType.SESSION_STATE]
        stands = {id: known for id, known in (await stored(conn)).items() if id not in last and known.at <= at}
        # who has stood so since before the first event that is kept is in no event
        return stands | _known(shard, [(id, str(event.data.get("state")), event.at) for id, event in transitions])

    return stored if live else told


def _known(shard: str, stood: Iterable[tuple[str, str, float]]) -> dict[str, Known]:
    return {
        session: Known(shard, State(state), at, at if state == State.OPEN else None)
        for session, state, at in stood
        if state in _STATES
    }


_STATES = frozenset(state.value for state in State)


def _events(source: str, session: str, since: float, until: float) -> Operation[list[OutboxEvent]]:
    """The events of a session from that time on; of a shard also the one before, which tells where it stood."""

    async def read(conn: Statements) -> list[OutboxEvent]:
        found = await outbox.read_session(conn, session, OF_HEALTH if source == HEALTH else OF_SHARD, since, until)
        return [event for event in found if source != HEALTH or event.at >= since]

    return read


async def _of_ledger(conn: Statements, session: str, at: float) -> tuple[list[Episode], list[Action], Learnt]:
    open_then = await recovery_queries.episodes_at(conn, at)
    since = min([at - HOUR_S, *(row.started_at for row in open_then if row.session == session)])
    orders = [action for action in await recovery_queries.actions_since(conn, since) if action.at <= at]
    return open_then, orders, await learnt(conn, at)
