"""Looking at a database without changing it: for the self-check and the support bundle.  No row with content leaves.

The rest of the code opens databases for work; here a file may be damaged, foreign, or of a daemon that is down.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from actors.store.engine import uri

PATIENCE = 5.0
"""Seconds to wait for a lock."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of a file without its content."""

    path: Path
    bytes: int
    """Of the file, without its write-ahead log."""
    wal_bytes: int
    application_id: int
    revision: str | None
    """Of the schema; None if it says none."""
    check: str | None
    """`ok`, or the first thing that `quick_check` found; None if it was not asked for."""
    rows: dict[str, int] = field(default_factory=dict)
    """By table; empty if they were not counted."""
    cursors: dict[str, int] = field(default_factory=dict)
    """How far this consumer has read, by producer."""
    outbox: tuple[int, int] | None = None
    """First and last sequence number; None without an outbox, (0, 0) for an empty one."""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def inspect(path: Path, *, check: bool, count: bool = False) -> Inspection:
    """Looks at a file read-only.

    Without a write-ahead log it is opened as immutable, so that SQLite makes no files beside it.  ``check`` reads the
    whole file.  Raises OSError or sqlite3.Error.
    """
    size, wal = path.stat().st_size, _size(path.with_name(f"{path.name}-wal"))
    mode = uri(path, "ro") + ("" if wal else "&immutable=1")
    with closing(sqlite3.connect(mode, uri=True, timeout=PATIENCE, isolation_level=None)) as conn:
        tables = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        revision = None
        if "alembic_version" in tables:
            revision = conn.execute("SELECT max(version_num) FROM alembic_version").fetchone()[0]
        return Inspection(
            path,
            size,
            wal,
            conn.execute("PRAGMA application_id").fetchone()[0],
            None if revision is None else str(revision),
            str(conn.execute("PRAGMA quick_check(1)").fetchone()[0]) if check else None,
            _rows(conn, tables) if count else {},
            dict(conn.execute("SELECT name, position FROM cursor")) if "cursor" in tables else {},
            _outbox(conn) if "outbox" in tables else None,
        )


def vault_rotation(path: Path) -> float | None:
    """When a rotation of the master key that is unfinished began, in seconds since 1970; None if there is none.

    Raises OSError or sqlite3.Error.
    """
    if _size(path) == 0:
        return None
    mode = uri(path, "ro") + ("" if _size(path.with_name(f"{path.name}-wal")) else "&immutable=1")
    with closing(sqlite3.connect(mode, uri=True, timeout=PATIENCE, isolation_level=None)) as conn:
        row = conn.execute("SELECT value FROM meta WHERE key = 'rotation'").fetchone()
        return None if row is None else float(json.loads(row[0])["started_at"])


def _rows(conn: sqlite3.Connection, tables: list[str]) -> dict[str, int]:
    own = [table for table in tables if not table.startswith("sqlite_")]
    return {table: conn.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in own}  # noqa: S608 - its own names


def _outbox(conn: sqlite3.Connection) -> tuple[int, int]:
    first, last = conn.execute("SELECT ifnull(min(seq), 0), ifnull(max(seq), 0) FROM outbox").fetchone()
    return first, last


def api_sessions(path: Path) -> dict[str, int]:
    """How many sessions were added over the API, by connector; none if there is no such file.

    Raises OSError or sqlite3.Error.
    """
    if not path.exists():
        return {}
    wal = _size(path.with_name(f"{path.name}-wal"))
    mode = uri(path, "ro") + ("" if wal else "&immutable=1")
    with closing(sqlite3.connect(mode, uri=True, timeout=PATIENCE, isolation_level=None)) as conn:
        return dict(conn.execute("SELECT connector, count(*) FROM sessions GROUP BY connector"))
