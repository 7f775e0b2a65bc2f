"""The in-memory twin of the history: minutes that a test puts there, read by the same arithmetic."""

from collections.abc import Callable, Sequence

from actors.health.history import ledger
from actors.health.history.entries import Entry
from actors.health.history.reading import BadRange, Series, resolve, series, wanted
from actors.store.history_queries import Level, Progress
from config.schema_history import History
from daemon.backend import BackendError


class MemoryHistory:
    """Nothing is rolled up beyond the minute, or pruned."""

    def __init__(self, clock: Callable[[], float], known: Callable[[str], object]) -> None:
        self._clock = clock
        self._known = known
        self._keep = {Level(name): keep for name, keep in History().by_level.items()}
        self._minutes: dict[tuple[str, int], ledger.Packed] = {}

    def put(self, session: str, entries: Sequence[Entry]) -> None:
        """What was observed of a session."""
        for minute in {entry.minute for entry in entries}:
            found = [entry for entry in entries if entry.minute == minute]
            self._minutes[session, minute] = ledger.pack(minute, session, found)

    async def read(self, session: str, since: float, until: float, step: int | None) -> Series:
        self._known(session)
        now = self._clock()
        own = {minute: item for (of, minute), item in sorted(self._minutes.items()) if of == session}
        levels = {level: Progress(int(now // 60)) for level in (Level.RAW, Level.MINUTE)} if self._minutes else {}
        try:
            asked = resolve(since, until, step, now, self._keep)
            parts = wanted(asked, levels)
        except BadRange as error:
            raise BackendError("invalid", str(error), parameter=error.parameter) from None
        rows = {
            level: [
                (minute, item.raw if level is Level.RAW else item.rollup)
                for minute, item in own.items()
                if first <= minute <= last
            ]
            for level, first, last in parts
            if level in levels
        }
        return series(asked, rows, levels)
