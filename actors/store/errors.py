"""What can go wrong with a database, as errors an operator can act on."""

import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Final

_WRITE_REFUSED = frozenset(
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
        sqlite3.SQLITE_IOERR_SHMOPEN,
    }
)
"""I/O errors by which a full disk, a quota or a file size limit shows itself beside SQLITE_FULL."""


class StoreReason(StrEnum):
    """Why a database could not be used; also the value of a metric label."""

    FULL = "full"
    BUSY = "busy"
    CORRUPT = "corrupt"
    FOREIGN = "foreign"
    TOO_NEW = "too_new"
    MISSING = "missing"
    IO = "io"
    LATE = "late"


_EXPLAINED: Final = {
    sqlite3.SQLITE_BUSY: (StoreReason.BUSY, "{}: another process holds the file"),
    sqlite3.SQLITE_LOCKED: (StoreReason.BUSY, "{}: another connection holds the table"),
    sqlite3.SQLITE_NOTADB: (
        StoreReason.FOREIGN,
        "is not a SQLite database: move it away or restore a backup",
    ),
    sqlite3.SQLITE_CORRUPT: (StoreReason.CORRUPT, "{}: restore a backup"),
    sqlite3.SQLITE_CANTOPEN: (StoreReason.MISSING, "{}: does it exist, and may this user open it?"),
}


class StoreError(Exception):
    """A database could not be used; the sentence names file and remedy, never what was to be stored."""

    def __init__(self, path: Path, reason: StoreReason, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.reason = reason


class StoreFull(StoreError):
    """The disk takes no more.  Nothing of the transaction was stored; with room, the database works again."""

    def __init__(self, path: Path, message: str = "database or disk is full") -> None:
        super().__init__(path, StoreReason.FULL, f"{message}; nothing was stored: make room on its disk")


class StoreLate(StoreError):
    """It was not read within ``patience`` seconds: a slow or locked disk, or too many others who read."""

    def __init__(self, path: Path, patience: float) -> None:
        super().__init__(path, StoreReason.LATE, f"did not answer within {patience:g} s")
        self.patience = patience


class SchemaTooNew(StoreError):
    """The file was written by a later version of wavigil; ``found`` and ``known`` are schema revisions."""

    def __init__(self, path: Path, found: str, known: str) -> None:
        super().__init__(
            path,
            StoreReason.TOO_NEW,
            f"has schema {found}, but this version of wavigil knows schemas up to {known}: "
            "run the newer version, or restore a backup from before its upgrade",
        )
        self.found = found
        self.known = known


def from_sqlite(path: Path, error: BaseException | None) -> StoreError:
    """The StoreError for what SQLite raised; another error is named but not quoted.

    Result codes are those of https://www.sqlite.org/rescode.html; the low byte is the primary code.
    """
    extended: int | None = getattr(error, "sqlite_errorcode", None)
    text = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
    if extended is None:
        return StoreError(path, StoreReason.IO, text)
    primary = extended & 0xFF
    if primary == sqlite3.SQLITE_FULL or extended in _WRITE_REFUSED:
        return StoreFull(path, text)
    reason, message = _EXPLAINED.get(primary, (StoreReason.IO, "{}"))
    return StoreError(path, reason, message.format(text))
