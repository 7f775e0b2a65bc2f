"""Holds a lock of a database, in a process of its own, until its stdin ends.

``python -m tests.lockholder begin|exclusive|readers FILE`` says "locked" when it has it.
"""

import fcntl
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[1]
FIRST_READ_LOCK, READ_LOCKS = 123, 5
"""Bytes of the wal-index (https://www.sqlite.org/walformat.html#wal_locks), of which each reader holds one."""
Lock = Literal["begin", "exclusive", "readers"]


def begin(path: Path) -> object:
    """A writer amid a transaction, BEGIN EXCLUSIVE: in WAL mode readers go on."""
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("BEGIN EXCLUSIVE")
    return conn


def exclusive(path: Path) -> object:
    """The same in exclusive locking mode, which nobody else may have open: it keeps out readers, too."""
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("PRAGMA locking_mode=EXCLUSIVE")
    conn.execute("BEGIN EXCLUSIVE")
    return conn


def readers(path: Path) -> object:
    """Keeps out readers of a database that others have open."""
    file = path.with_name(f"{path.name}-shm").open("r+b")
    fcntl.lockf(file, fcntl.LOCK_EX, READ_LOCKS, FIRST_READ_LOCK)
    return file


@contextmanager
def held(lock: Lock, path: Path) -> Iterator[None]:
    """Another process has that lock of that file."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.lockholder", lock, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"locked\n"
            yield
        finally:
            process.kill()


LOCKS: dict[str, Callable[[Path], object]] = {"begin": begin, "exclusive": exclusive, "readers": readers}

if __name__ == "__main__":
    mine = LOCKS[sys.argv[1]](Path(sys.argv[2]))
    print("locked", flush=True)  # noqa: T201 - told to who started it
    sys.stdin.read()
