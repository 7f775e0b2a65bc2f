"""The in-memory twin of what operators steer of recovery."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count

from actors.recovery.book import Known
from actors.recovery.explain import Explanation, Recorded, explain
from actors.recovery.pauses import Pause, covering, paused_until
from actors.recovery.spread import spread_of
from actors.session.vocabulary import State
from actors.store.episode_queries import EpisodeFilter, Sums
from actors.store.records import Action, Episode
from daemon.backend import BackendError, SessionRecord
from daemon.live_recovery import RESTING
from daemon.metrics.recovery import RecoveryMetrics
from daemon.pauses import MOST
from daemon.recovery_port import Forced, RecoverySums


class MemoryRecovery:
    """Pauses are kept; sessions here lose no connection by themselves."""

    def __init__(self, clock: Callable[[], float], records: Callable[[], Mapping[str, SessionRecord]]) -> None:
        self._clock = clock
        self._records = records
        self._numbers = count(1)
        self._pauses: list[Pause] = []
        self.metrics = RecoveryMetrics()
        self.ledger: list[Episode] = []
        """Put there by tests."""
        self.actions: list[Action] = []
        self.state: Callable[[str], str] = lambda _session: "open"
        """Of a session; set by the backend."""
        self.forced: list[tuple[str, str, str]] = []
        """Who, which session, how."""

    async def episodes(self, wanted: EpisodeFilter, limit: int, before: tuple[float, int] | None) -> Sequence[Episode]:
        newest = sorted(self.ledger, key=lambda episode: (episode.started_at, episode.id), reverse=True)
        matching = [episode for episode in newest if _matches(wanted, episode)]
        return [e for e in matching if before is None or (e.started_at, e.id) < before][:limit]

    async def episode(self, id: int) -> tuple[Episode, Sequence[Action]]:
        for episode in self.ledger:
            if episode.id == id:
                return episode, [action for action in self.actions if action.episode == id]
        raise BackendError("unknown_episode", "There is no such episode.")

    async def summary(self, since: float) -> RecoverySums:
        ended = [episode for episode in self.ledger if episode.ended_at is not None and episode.ended_at >= since]
        going_on = [episode for episode in self.ledger if episode.ended_at is None]
        return RecoverySums([_sums(e) for e in ended], len(going_on), sum(e.attempts // 5 for e in going_on))

    def pauses(self) -> Sequence[Pause]:
        return [pause for pause in self._pauses if not pause.over(self._clock())]

    def pauses_of(self, session: str) -> Sequence[Pause]:
        return covering(self._pauses, session, self._records()[session].labels, self._clock())

    def paused(self) -> int:
        return sum(bool(self.pauses_of(session)) for session in self._records())

    async def pause(
        self, who: str, session: str | None, labels: Mapping[str, str], until: float | None, reason: str
    ) -> Pause:
        if session is not None and session not in self._records():
            raise BackendError("unknown_session", "There is no such session.")
        if until is not None and until <= self._clock():
            raise BackendError("invalid", "It would be over already.")
        if len(self.pauses()) >= MOST:
            raise BackendError("limit", "There are too many.")
        made = Pause(next(self._numbers), self._clock(), who, session, dict(labels), until, reason)
        self._pauses.append(made)
        return made

    async def resume(self, pause: int, who: str) -> None:
        if pause not in {known.id for known in self.pauses()}:
            raise BackendError("unknown_pause", "There is no such pause.")
        self._pauses = [known for known in self._pauses if known.id != pause]

    async def explain(self, session: str, at: float | None) -> Explanation:
        if session not in self._records():
            raise BackendError("unknown_session", "There is no such session.")
        now = self._clock()
        if at is not None and at > now:
            raise BackendError("invalid", "That is to come.")
        when = now if at is None else at
        state = State(self.state(session))
        stands = {session: Known("shard-0", state, when, when if state is State.OPEN else None)}
        until = paused_until(self._pauses, session, self._records()[session].labels, when)
        open_ones = [e for e in self.ledger if e.session == session and e.ended_at is None]
        found = Recorded(session, when, stands, open_ones[-1] if open_ones else None, complete=not open_ones)
        return explain(found, paused={} if until is None else {session: until})

    async def force(self, session: str, who: str, strategy: Forced) -> str:
        if session not in self._records():
            raise BackendError("unknown_session", "There is no such session.")
        if self.pauses_of(session):
            raise BackendError("refused", "Its recovery is paused.", remedy="End the pause.")
        if self.state(session) in ({"stopped"} if strategy == "reconnect" else RESTING):
            raise BackendError("refused", f"It is {self.state(session)}.", remedy="Do what its remedy says.")
        self.forced.append((who, session, strategy))
        return f"op-{next(self._numbers)}"

    def halted(self, session: str, cause: str) -> None:
        """An episode that ended at once: nothing automatic will be done."""
        now, id = self._clock(), len(self.ledger) + 1
        data = {"lastCause": cause, "failures": 1}
        self.ledger.append(Episode(id, session, cause, "stop", 0, now, now, "halted", data, now))
        self.actions.append(Action(id, id, session, cause, now, "stop", {"rule": "stands"}, "final", now))

    def forget(self, session: str) -> None:
        """The session is removed, and its own pauses with it."""
        self._pauses = [pause for pause in self._pauses if pause.session != session]


def _matches(wanted: EpisodeFilter, episode: Episode) -> bool:
    return (
        wanted.session in {None, episode.session}
        and wanted.cause in {None, episode.cause}
        and wanted.outcome in {None, episode.outcome}
        and wanted.open in {None, episode.ended_at is None}
        and (wanted.since is None or episode.started_at >= wanted.since)
        and (wanted.until is None or episode.started_at < wanted.until)
    )


def _sums(e: Episode) -> Sums:
    detect = spread_of([] if e.detected_at is None else [e.detected_at - e.started_at])
    recover = spread_of([] if e.healed_at is None or e.data.get("held") else [e.healed_at - e.started_at])
    return Sums(e.cause, e.strategy, e.outcome or "", 1, e.attempts, e.attempts // 5, detect, recover)
