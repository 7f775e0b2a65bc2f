"""Bringing a database to the schema of this version, before any actor opens it.

Everything happens in one transaction on a connection that is closed afterwards.  A file that is refused (made
by a newer version, by another program, of another kind, or damaged) is not changed.
"""

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from actors.store.engine import sync_reader, sync_writer, translate
from actors.store.errors import SchemaTooNew, StoreError, StoreReason
from actors.store.tables import BULKY, METADATA, Kind

MIGRATIONS = Path(__file__).parent / "migrations"

APPLICATION_ID: dict[Kind, int] = {
    Kind.API: 0x77760001,
    Kind.SHARD: 0x77760002,
    Kind.HEALTH: 0x77760003,
    Kind.RECOVERY: 0x77760004,
    Kind.VAULT: 0x77760005,
}
"""Marks a file as wavigil's and says what it holds (https://www.sqlite.org/fileformat2.html#application_id)."""

MOST_IDENTITY = 2**31 - 1
"""Of the numbers that tell databases of a kind apart (https://www.sqlite.org/fileformat2.html#user_version_number)."""
MODE = 0o600


@dataclass(frozen=True, slots=True)
class _Found:
    application_id: int
    revision: str | None
    tables: int
    check: str


def config_for(kind: Kind) -> Config:
    """The Alembic configuration of one kind of database; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", _option(MIGRATIONS))
    config.set_main_option("version_locations", _option(MIGRATIONS / kind))
    config.set_main_option("path_separator", "newline")
    config.attributes["metadata"] = METADATA[kind]
    return config


def _option(path: Path) -> str:
    return str(path).replace("%", "%%")  # the parser behind Config interpolates


def known_revision(kind: Kind) -> str:
    """The newest schema revision that this version knows."""
    head = ScriptDirectory.from_config(config_for(kind)).get_current_head()
    if head is None:
        raise LookupError(f"no migrations for {kind}: the installation is incomplete")
    return head


def refuse(path: Path, kind: Kind) -> None:
    """Raises for a file that is another user's, foreign or too new; changes nothing.

    For all files before the first is upgraded, so that none is if one is refused.
    """
    if _has_content(path):
        owner, user = path.stat().st_uid, os.geteuid()
        if owner != user:
            raise StoreError(path, StoreReason.FOREIGN, f"belongs to user {owner}, wavigil runs as {user}")
        _accept(path, kind, _inspect(path, check=False), known_revision(kind))


def upgrade(path: Path, kind: Kind) -> str:
    """Makes or upgrades the database and returns its revision.  Mode 0600.

    Call it in the main process before the actor system starts.  Raises SchemaTooNew, StoreFull or StoreError.
    """
    kind = Kind(kind)
    known = known_revision(kind)
    found = _inspect(path) if _has_content(path) else None
    if found is not None:
        _accept(path, kind, found, known)
    _make_private(path)
    if found is not None and found.revision == known:
        return known
    engine = sync_writer(path)
    try:
        with engine.begin() as conn:
            conn.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID[kind]}")
            if found is None or not found.tables:
                # who follows it sees by this that it is another one, whose numbers begin anew (``outbox.Origin``)
                conn.exec_driver_sql(f"PRAGMA user_version={1 + secrets.randbelow(MOST_IDENTITY)}")
            config = config_for(kind)
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise translate(path, error) from error
    finally:
        engine.dispose()
    return known


def _has_content(path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(path, StoreReason.IO, f"can't be reached: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(path, StoreReason.FOREIGN, "is not a file: move it away")
    return found.st_size > 0


def _inspect(path: Path, *, check: bool = True) -> _Found:
    engine = sync_reader(path)
    try:
        with engine.begin() as conn:
            tables = _scalar(conn, "SELECT count(*) FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
            versioned = _scalar(conn, "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'")
            revision = _scalar(conn, "SELECT max(version_num) FROM alembic_version") if versioned else None
            application_id = _scalar(conn, "PRAGMA application_id")
            sound = _check(conn) if check else "ok"
    except DBAPIError as error:
        raise translate(path, error) from error
    finally:
        engine.dispose()
    return _Found(int(str(application_id)), None if revision is None else str(revision), int(str(tables)), str(sound))


def _check(conn: Connection) -> object:
    """`ok`, or the first thing that is wrong; of a database with bulky tables all but those are read."""
    names = conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
    if BULKY.isdisjoint(names):
        return _scalar(conn, "PRAGMA quick_check(1)")
    found = (_scalar(conn, f"PRAGMA quick_check('{name}')") for name in names if name not in BULKY)
    return next((said for said in found if said != "ok"), "ok")


def _scalar(conn: Connection, statement: str) -> object:
    return conn.exec_driver_sql(statement).scalar()


def _accept(path: Path, kind: Kind, found: _Found, known: str) -> None:
    """Raises unless the file is ours, of this kind, sound, and not newer than we are."""
    if found.check != "ok":
        raise StoreError(path, StoreReason.CORRUPT, f"is damaged ({found.check}): restore a backup")
    if found.application_id == 0 and found.tables == 0:
        return  # a creation that was interrupted before its first transaction
    if found.application_id != APPLICATION_ID[kind]:
        other = next((k for k, number in APPLICATION_ID.items() if number == found.application_id), None)
        what = "was not made by wavigil" if other is None else f"holds the {other} database, not the {kind} database"
        raise StoreError(path, StoreReason.FOREIGN, f"{what}: move it away or restore a backup")
    if found.revision is None or not found.revision.isdecimal():
        raise StoreError(path, StoreReason.CORRUPT, "does not say which schema it has: restore a backup")
    if int(found.revision) > int(known):
        raise SchemaTooNew(path, found.revision, known)


def _make_private(path: Path) -> None:
    """Creates the file, or takes other users' rights away; SQLite gives -wal and -shm the same mode."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    except OSError as error:
        raise StoreError(path, StoreReason.IO, f"can't be opened for writing: {error.strerror}") from error
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != MODE:
            os.fchmod(descriptor, MODE)
    finally:
        os.close(descriptor)
