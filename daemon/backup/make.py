"""Making a backup while everything runs: all databases as of one moment, in a folder that appears when it is whole."""

import errno
import secrets
import shutil
import sqlite3
import time
from contextlib import ExitStack, closing
from importlib.metadata import version
from pathlib import Path
from typing import Final

from actors.settings import shard_name
from actors.store.engine import BUSY_TIMEOUT, uri
from actors.store.shard_queries import SENDS_CURSOR
from daemon.backup import files
from daemon.backup.manifest import NAME, BadManifest, File, Manifest, dump, kind_of

HANDOVER: Final = 1.0
"""Seconds for the hosts to take over what was accepted; meanwhile nothing new is."""
LOOK: Final = 0.005
"""Seconds between looks."""
_LAST_SEND: Final = """
SELECT placement.shard, max(sends.seq) FROM sends JOIN placement ON placement.session = sends.session
WHERE sends.seq > placement.sends_after GROUP BY placement.shard
"""


class BackupError(Exception):
    """It could not be made; nothing is left of it.  The sentence names the file."""

    def __init__(self, message: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.full = full
        """Whether a disk was full."""


def databases(state_dir: Path) -> list[Path]:
    """Those that are there, in the order in which their moment is taken: what others follow comes last.

    A host follows api.db with a cursor, so it must not be ahead of it; auth state may be newer than what it was for.
    """
    order = {"api.db": 1, "vault.db": 2}
    found = [path for path in state_dir.glob("*.db") if _is_ours(path.name)]
    return sorted(found, key=lambda path: (order.get(path.name, 0), path.name))


def _is_ours(name: str) -> bool:
    try:
        kind_of(name)
    except BadManifest:
        return False
    return True


def make(state_dir: Path, target: Path, *, running: bool) -> Manifest:
    """Writes a backup of a state directory into a new folder; ``running``: its daemon does.  Raises BackupError."""
    target = target.absolute()
    if target.exists() or target.is_symlink():
        raise BackupError(f"{target} is there already: give the name of a folder that is to be made")
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        part.mkdir(files.FOLDER_MODE)
        manifest = _copy(state_dir, part, HANDOVER if running else 0.0)
        files.make_private(part / NAME)
        (part / NAME).write_text(dump(manifest), encoding="utf-8")
        for path in (part / NAME, part):
            files.sync(path)
        part.rename(target)
        files.sync(target.parent)
    except OSError as error:
        raise BackupError(f"{target} can't be written: {error.strerror}", full=error.errno == errno.ENOSPC) from None
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        raise BackupError(f"{target}: {error}", full=full) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)  # where it was renamed there is none
    return manifest


def _copy(state_dir: Path, part: Path, handover: float) -> Manifest:
    found: dict[str, File] = {}
    with ExitStack() as stack:
        sources, made_at = _snapshot(state_dir, stack, handover)
        for path, source in sources:
            copy = part / path.name
            files.copy_database(source, copy)
            found[path.name] = File(files.sha256(copy), copy.stat().st_size, _schema(source))
    return Manifest(version("wavigil"), made_at, dict(sorted(found.items())))


def _snapshot(
    state_dir: Path, stack: ExitStack, handover: float
) -> tuple[list[tuple[Path, sqlite3.Connection]], float]:
    """A reading transaction on each, all begun while nothing can be written to api.db: no request is half in it."""
    paths = databases(state_dir)
    if not any(path.name == "api.db" for path in paths):
        raise BackupError(f"{state_dir} has no databases: is it the state directory?")
    api = uri(state_dir / "api.db", "rw")
    with closing(sqlite3.connect(api, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)) as gate:
        gate.execute("BEGIN IMMEDIATE")
        _await_hosts(gate, state_dir, handover)
        sources = []
        for path in paths:
            source = stack.enter_context(closing(files.open_read_only(path)))
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchall()
            sources.append((path, source))
        made_at = time.time()
        gate.execute("ROLLBACK")
    return sources, made_at


def _await_hosts(gate: sqlite3.Connection, state_dir: Path, patience: float) -> None:
    """Until the hosts have taken over what was accepted: then it has its message id, and keeps it after a restore."""
    end = time.monotonic() + patience
    for shard, last in gate.execute(_LAST_SEND).fetchall():
        path = state_dir / f"{shard_name(shard)}.db"
        while path.exists() and _taken(path) < last and time.monotonic() < end:
            time.sleep(LOOK)


def _taken(path: Path) -> int:
    with closing(files.open_read_only(path)) as shard:
        found = shard.execute("SELECT position FROM cursor WHERE name = ?", (SENDS_CURSOR,)).fetchone()
    return 0 if found is None else int(found[0])


def _schema(source: sqlite3.Connection) -> str:
    return str(source.execute("SELECT max(version_num) FROM alembic_version").fetchone()[0])
