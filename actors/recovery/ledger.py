"""The ledger: one row an episode of trouble, events of what was done about it."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from actors.events import EventType
from actors.messages import PlanRequest
from actors.recovery.plans import Action, Plan
from actors.session.causes import Cause
from actors.store import outbox, recovery_queries
from actors.store.records import NewEvent


class Ledger:
    """Knows the open episodes; what a transaction changes is kept only when it was committed."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[int, float, int]] = {}
        """session -> (episode, started at, attempts)"""
        self._pending: dict[str, tuple[int, float, int] | None] = {}

    async def load(self, conn: AsyncConnection) -> None:
        """The episodes that an earlier actor left open."""
        for episode in await recovery_queries.open_episodes(conn):
            self._open[episode.session] = (episode.id, episode.started_at, episode.attempts)

    def is_open(self, session: str) -> bool:
        """Whether the session is in trouble."""
        return session in self._open

    def committed(self) -> None:
        """The transaction is durable."""
        for session, value in self._pending.items():
            if value is None:
                self._open.pop(session, None)
            else:
                self._open[session] = value
        self._pending = {}

    async def planned(self, conn: AsyncConnection, request: PlanRequest, cause: Cause, plan: Plan, now: float) -> None:
        """A plan was made: an episode begins or goes on, or ends with nothing automatic left to do."""
        self._pending = {}
        session = request.session
        known = self._open.get(session)
        events = []
        if known is None:
            data = {"code": request.data.get("code")}
            id = await recovery_queries.begin_episode(conn, session, str(cause), plan.strategy, now, data)
            known = (id, now, 0)
            events.append(
                _event(now, EventType.RECOVERY_STARTED, session, id, cause=str(cause), strategy=plan.strategy)
            )
        id, started, attempts = known
        if plan.action is Action.RECONNECT:
            attempts += 1
            await recovery_queries.count_attempt(conn, id, attempts)
            events.append(
                _event(
                    now,
                    EventType.RECOVERY_ATTEMPT,
                    session,
                    id,
                    attempt=attempts,
                    delaySeconds=plan.delay_s,
                    cause=str(cause),
                )
            )
            self._pending[session] = (id, started, attempts)
        else:
            await recovery_queries.end_episode(conn, id, str(plan.action), now)
            events.append(_event(now, EventType.RECOVERY_STOPPED, session, id, cause=str(cause), remedy=plan.remedy))
            self._pending[session] = None
        await outbox.append(conn, events)

    async def healed(self, conn: AsyncConnection, opened: Mapping[str, float]) -> None:
        """Sessions are open again."""
        self._pending = {}
        events = []
        for session, at in opened.items():
            id, started, attempts = self._open[session]
            if at < started:
                continue  # it was open before the trouble began
            await recovery_queries.end_episode(conn, id, "healed", at)
            events.append(
                _event(at, EventType.RECOVERY_SUCCEEDED, session, id, attempts=attempts, seconds=round(at - started, 3))
            )
            self._pending[session] = None
        await outbox.append(conn, events)


def _event(at: float, type: EventType, session: str, episode: int, **data: object) -> NewEvent:
    return NewEvent(at, type, session, {"episode": episode, **data})
