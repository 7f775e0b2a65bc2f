"""The in-memory twin of what operators steer of recovery."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count

from actors.recovery.pauses import Pause, covering
from daemon.backend import BackendError, SessionRecord
from daemon.pauses import MOST


class MemoryRecovery:
    """Pauses are kept; sessions here lose no connection by themselves."""

    def __init__(self, clock: Callable[[], float], records: Callable[[], Mapping[str, SessionRecord]]) -> None:
        self._clock = clock
        self._records = records
        self._numbers = count(1)
        self._pauses: list[Pause] = []

    def pauses(self) -> Sequence[Pause]:
        return [pause for pause in self._pauses if not pause.over(self._clock())]

    def pauses_of(self, session: str) -> Sequence[Pause]:
        return covering(self._pauses, session, self._records()[session].labels, self._clock())

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

    def forget(self, session: str) -> None:
        """The session is removed, and its own pauses with it."""
        self._pauses = [pause for pause in self._pauses if pause.session != session]
