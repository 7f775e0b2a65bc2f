"""The history of sessions as main reads it: on a connection of its own that can't write, and so blocks nobody."""

import time
from collections.abc import Callable, Mapping

from actors.health.history.reading import BadRange, Range, Series, resolve, series, wanted
from actors.settings import Settings
from actors.store import history_queries as queries
from actors.store.direct import Statements
from actors.store.engine import Database, open_reader
from actors.store.errors import StoreError
from actors.store.history_queries import Level
from daemon.backend import BackendError
from daemon.storage import refusal


class LiveHistory:
    """Implements ``daemon.backend.Histories`` over health.db."""

    def __init__(self, settings: Settings, known: Callable[[str], object]) -> None:
        """``known`` raises BackendError for a session that is not."""
        self._known = known
        self._path = settings.database("health")
        self._keep: Mapping[Level, float] = {}
        self.use(settings)
        self._database: Database | None = None

    def use(self, settings: Settings) -> None:
        """How long it is kept, from now on."""
        self._keep = {Level(name): keep for name, keep in settings.health.history.by_level.items()}

    async def open(self) -> None:
        """Raises StoreError."""
        self._database = await open_reader(self._path)

    async def close(self) -> None:
        """Closes the connection."""
        if self._database is not None:
            await self._database.close()

    async def read(self, session: str, since: float, until: float, step: int | None) -> Series:
        """See ``daemon.backend.Histories``."""
        self._known(session)
        assert self._database is not None
        try:
            range_ = resolve(since, until, step, time.time(), self._keep)
            return await self._database.run(lambda conn: _read(conn, session, range_))
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
