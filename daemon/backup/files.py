"""Files that are whole and on the disk, or not there."""

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from actors.store.engine import uri

MODE, FOLDER_MODE = 0o600, 0o700
CHUNK = 1 << 20


def make_private(path: Path) -> None:
    """An empty file of mode 0600.  Raises OSError."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))


def copy_database(source: sqlite3.Connection, target: Path) -> None:
    """Copies a database through SQLite, in the snapshot that ``source`` has.  Raises OSError, sqlite3.Error."""
    make_private(target)
    with closing(sqlite3.connect(uri(target, "rw"), uri=True, isolation_level=None)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE").fetchall()  # the copy is one file, whatever happens to it
    sync(target)


def open_read_only(path: Path, patience: float = 5.0) -> sqlite3.Connection:
    """A connection that changes nothing.  Raises sqlite3.Error."""
    return sqlite3.connect(uri(path, "ro"), uri=True, timeout=patience, isolation_level=None, check_same_thread=False)


def sha256(path: Path) -> str:
    """Of a file's content, in hex.  Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Has the disk keep a file or a folder.  Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
