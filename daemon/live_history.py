"""The history of sessions as main reads it: on connections that can't write, and so block nobody."""

import time
from collections.abc import Callable, Mapping

from actors.health.history.reading import BadRange, Range, Series, resolve, series, wanted
from actors.settings import Settings
from actors.store import history_queries as queries
from actors.store.direct import Statements
from actors.store.errors import StoreError
from actors.store.history_queries import Level
from daemon.backend import BackendError
from daemon.reads import Reads
from daemon.storage import refusal


class LiveHistory:
    """Implements ``daemon.backend.Histories`` over health.db."""

    def __init__(self, settings: Settings, known: Callable[[str], object], reads: Reads) -> None:
        """``known`` raises BackendError for a session that is not."""
        self._known = known
        self._reads = reads
        self._keep: Mapping[Level, float] = {}
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """How long it is kept, from now on."""
        self._keep = {Level(name): keep for name, keep in settings.health.history.by_level.items()}

    async def read(self, session: str, since: float, until: float, step: int | None) -> Series:
        """See ``daemon.backend.Histories``."""
        self._known(session)
        try:
            range_ = resolve(since, until, step, time.time(), self._keep)
            return await self._reads.begin().run("health", lambda conn: _read(conn, session, range_))
        except BadRange as error:
            raise BackendError("invalid", str(error), parameter=error.parameter) from None
        except StoreError as error:
            raise refusal(error, "the history can't be read") from None


async def _read(conn: Statements, session: str, range_: Range) -> Series:
    levels = await queries.load_levels(conn)
    number = await queries.number_of(conn, session)
    parts = wanted(range_, levels) if number is not None else []
    rows = {level: await queries.of_session(conn, level, number or 0, first, last) for level, first, last in parts}
    return series(range_, rows, levels)
