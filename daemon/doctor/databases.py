"""Are the database files whole, and of a version that this program knows?"""

import sqlite3
from pathlib import Path

from actors.store.inspect import Inspection, inspect
from actors.store.migrate import APPLICATION_ID, known_revision
from actors.store.tables import Kind
from daemon.doctor.finding import Finding, fail, ok, warn

RESTORE = "stop wavigil, keep the file, restore a backup; see Restore in the operator's guide"


def kind_of(path: Path) -> Kind | None:
    """What a file of the state directory should hold; None for others."""
    stem = path.stem
    if stem.startswith("shard-"):
        return Kind.SHARD if stem.removeprefix("shard-").isdecimal() else None
    return Kind(stem) if stem in set(Kind) - {Kind.SHARD} else None


def files(state_dir: Path) -> list[Path]:
    """The databases that are there."""
    return sorted(path for path in state_dir.glob("*.db") if kind_of(path) is not None)


def judge(found: Inspection, kind: Kind, known: str) -> Finding | None:
    """What is wrong with a database; None if nothing is.  Pure."""
    name = found.path.name
    if found.check not in {None, "ok"}:
        return fail("databases", f"{name} is damaged: {found.check}", RESTORE)
    if found.application_id == 0 and found.revision is None:
        return None  # made, and not yet migrated: the next start does
    if found.application_id != APPLICATION_ID[kind]:
        return fail("databases", f"{name} was not made by wavigil as its {kind} database", RESTORE)
    if found.revision is None or not found.revision.isdecimal():
        return fail("databases", f"{name} does not say which schema it has", RESTORE)
    if int(found.revision) > int(known):
        what = f"{name} has schema {found.revision}, this version of wavigil knows schemas up to {known}"
        return fail("databases", what, "run the newer version again, or restore a backup from before the upgrade")
    if int(found.revision) < int(known):
        what = f"{name} has schema {found.revision}, the next start makes it {known}"
        return warn("databases", what, "make a backup before wavigil is started")
    return None


def databases(state_dir: Path, *, deep: bool) -> list[Finding]:
    """One finding for each that is wrong, or one for all.  ``deep`` reads every page of every file."""
    wrong: list[Finding] = []
    paths = files(state_dir)
    size = 0
    for path in paths:
        kind = kind_of(path)
        assert kind is not None
        try:
            found = inspect(path, check=deep)
        except (OSError, sqlite3.Error) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            wrong.append(fail("databases", f"{path.name} can't be read: {why}", RESTORE))
            continue
        size += found.bytes + found.wal_bytes
        finding = judge(found, kind, known_revision(kind))
        wrong += [finding] if finding is not None else []
    if wrong:
        return wrong
    how = "every page read" if deep else "pages not read (--deep does)"
    return [ok("databases", f"{len(paths)} files, {size / 1e6:.1f} MB, schemas are known, {how}")]
