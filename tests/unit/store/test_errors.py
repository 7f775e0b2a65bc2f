import sqlite3
from pathlib import Path

import pytest

from actors.store.errors import StoreFull, StoreReason, from_sqlite

PATH = Path("/state/api.db")


def error(code: int, text: str = "it broke") -> sqlite3.OperationalError:
    made = sqlite3.OperationalError(text)
    made.sqlite_errorcode = code
    return made


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_SHMSIZE]
)
def test_what_a_full_disk_looks_like(code: int) -> None:
    found = from_sqlite(PATH, error(code))
    assert isinstance(found, StoreFull)
    assert found.reason is StoreReason.FULL
    assert "make room" in str(found)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (sqlite3.SQLITE_BUSY, StoreReason.BUSY),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreReason.BUSY),
        (sqlite3.SQLITE_NOTADB, StoreReason.FOREIGN),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreReason.CORRUPT),
        (sqlite3.SQLITE_CANTOPEN, StoreReason.MISSING),
        (sqlite3.SQLITE_IOERR_READ, StoreReason.IO),
        (sqlite3.SQLITE_ERROR, StoreReason.IO),
    ],
)
def test_reasons(code: int, reason: StoreReason) -> None:
    found = from_sqlite(PATH, error(code))
    assert found.reason is reason
    assert str(found).startswith("/state/api.db: ")


def test_an_error_that_is_not_sqlites_is_named_but_not_quoted() -> None:
    found = from_sqlite(PATH, ValueError("the text of a message"))
    assert str(found) == "/state/api.db: ValueError"
