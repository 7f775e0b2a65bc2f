"""The numbers of sends, in an api.db that was made anew or is an older copy than the databases of the shards."""

import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from actors.store import cursors
from actors.store.direct import Direct, carry_out
from actors.store.engine import sync_reader, sync_writer, translate
from actors.store.shard_queries import SENDS_CURSOR
from actors.store.tables import sends

log = logging.getLogger(__name__)


def go_on(api: Path, shards: Iterable[Path]) -> int:
    """Sends get numbers after those that any shard has taken over; returns after which.  Before actors are started.

    With smaller ones they would be accepted, and passed over by the hosts.  Raises StoreError.
    """
    taken, last = max(map(_taken, shards), default=0), _last(api)
    if last >= taken:
        return last
    log.warning("api.db is older than what the shards have sent: its sends are counted on from %d", taken)
    engine = sync_writer(api)
    try:
        with engine.begin() as conn:
            # SQLite's own record of the numbers it gave out, which may be changed (https://www.sqlite.org/autoinc.html)
            conn.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (sends.name,))
            conn.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (sends.name, taken))
    except DBAPIError as error:
        raise translate(api, error) from error
    finally:
        engine.dispose()
    return taken


def _last(api: Path) -> int:
    """The last number that was given out."""
    engine = sync_reader(api)
    try:
        with engine.begin() as conn:
            found = conn.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (sends.name,)).scalar()
    except DBAPIError as error:
        raise translate(api, error) from error
    finally:
        engine.dispose()
    return 0 if found is None else int(found)


def _taken(path: Path) -> int:
    """0 for a shard that can't be read: its own host says so."""
    engine = sync_reader(path)
    try:
        with engine.begin() as conn:
            raw: Any = conn.connection.dbapi_connection
            return carry_out(lambda within: cursors.get_cursor(within, SENDS_CURSOR), Direct(raw, conn))
    except (DBAPIError, sqlite3.Error) as error:
        log.warning("what a shard has taken over is not known: %s", translate(path, error))
        return 0
    finally:
        engine.dispose()
