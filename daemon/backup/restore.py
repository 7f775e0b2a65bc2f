"""Putting a backup back: prepared beside the databases, committed by one rename, then moved into place.

Until the rename nothing has changed; after it, whoever comes next (another restore, the daemon's start) finishes
the move.  So a kill at any moment leaves the state of before, or leads to the one of after.
"""

import shutil
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actors.store.errors import StoreError
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from actors.vault import rotation
from actors.vault.errors import VaultError
from actors.vault.keyring import Keyring, MasterKeys
from daemon.backup import accepted, files, merge, stale
from daemon.backup.manifest import NAME, BadManifest, Manifest, kind_of, load
from daemon.backup.verdicts import Decision, Verdict

STAGING: Final = "restore.part"
READY: Final = "restore.ready"
"""Folder in the state directory with what is to be moved into it."""
API, VAULT = "api.db", "vault.db"


class RestoreError(Exception):
    """Nothing was changed; the sentence says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    manifest: Manifest
    whole: bool
    """Whether there was nothing, so that all databases are from the backup; else only auth states."""
    decisions: Mapping[str, Decision]
    """By session."""
    stopped: tuple[str, ...]
    """Sessions that don't start until their keys are accepted."""


def finish(state_dir: Path) -> bool:
    """Moves what a restore has committed into place; returns whether there was anything.  Raises OSError.

    Call it with the lock of the state directory, before any database is opened.
    """
    ready = state_dir / READY
    if not ready.is_dir():
        return False
    for path in sorted(ready.iterdir()):
        for tail in ("-wal", "-shm"):  # of the file that is replaced: it must not be applied to the new one
            (state_dir / f"{path.name}{tail}").unlink(missing_ok=True)
        path.rename(state_dir / path.name)
    files.sync(state_dir)
    ready.rmdir()
    files.sync(state_dir)
    return True


def restore(backup: Path, state_dir: Path, keys: MasterKeys, *, accept_stale: bool) -> Restored:
    """Puts a backup back.  The caller has the lock of the state directory.  Raises RestoreError."""
    staging = state_dir / STAGING
    try:
        finish(state_dir)
        shutil.rmtree(staging, ignore_errors=True)
        manifest = _checked(backup)
        staging.mkdir(files.FOLDER_MODE)
        done = _stage(backup, state_dir, staging, manifest, keys, accept_stale=accept_stale)
        for path in staging.iterdir():
            files.sync(path)
        files.sync(staging)
        staging.rename(state_dir / READY)
        files.sync(state_dir)
        finish(state_dir)
    except OSError as error:
        raise RestoreError(f"{error.filename or state_dir}: {error.strerror}") from None
    except (sqlite3.Error, StoreError, VaultError) as error:
        raise RestoreError(_told(str(error), staging, state_dir)) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return done


def _told(text: str, staging: Path, state_dir: Path) -> str:
    return text.replace(str(staging), str(state_dir))


def _checked(backup: Path) -> Manifest:
    """The manifest, with every file as it says."""
    try:
        manifest = load((backup / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RestoreError(f"{backup} is no backup: it has no {NAME}") from None
    except (UnicodeDecodeError, BadManifest) as error:
        why = str(error) if isinstance(error, BadManifest) else "it is no text"
        raise RestoreError(f"{backup / NAME} can't be used: {why}") from None
    for name, told in manifest.files.items():
        path = backup / name
        if not path.is_file() or path.stat().st_size != told.bytes or files.sha256(path) != told.sha256:
            raise RestoreError(f"{path} is not as {NAME} says: the backup is incomplete or damaged; take another one")
    return manifest


def _stage(
    backup: Path, state_dir: Path, staging: Path, manifest: Manifest, keys: MasterKeys, *, accept_stale: bool
) -> Restored:
    whole = not any((state_dir / name).exists() for name in _databases(state_dir))
    if whole:
        for name in manifest.files:
            _copy(backup / name, staging / name)
    else:
        if not (state_dir / API).exists():
            raise RestoreError(f"{state_dir} has databases, but no {API}: move them away and restore all of the backup")
        for name in (API, VAULT):
            _copy((state_dir if (state_dir / name).exists() else backup) / name, staging / name)
    for path in list(staging.iterdir()):
        upgrade(path, kind_of(path.name))
    if whole and (staging / API).exists():
        accepted.give_up(staging, time.time())
    ring = Keyring(keys)
    rotation.prepare(staging / VAULT, ring)  # whether the configured keys open it
    if whole or not (state_dir / VAULT).exists():
        decisions = {session: Decision(Verdict.TAKEN) for session in merge.sessions(staging / VAULT)}
    else:
        offered = staging / "offered.db"
        _copy(backup / VAULT, offered)
        upgrade(offered, Kind.VAULT)
        decisions = merge.merge(offered, staging / VAULT, ring)
        _remove(offered)
    taken = [session for session, decision in decisions.items() if decision.verdict is Verdict.TAKEN]
    alike = [session for session, decision in decisions.items() if decision.verdict is not Verdict.REFUSED]
    stopped = stale.mark(
        staging / API, taken, alike, manifest.made_at, accepted=accept_stale, decisions=decisions, whole=whole
    )
    for path in list(staging.iterdir()):
        _settle(path)
    return Restored(manifest, whole, decisions, stopped)


def _databases(state_dir: Path) -> list[str]:
    found = []
    for path in state_dir.glob("*.db"):
        try:
            kind_of(path.name)
        except BadManifest:
            continue
        found.append(path.name)
    return found


def _copy(source: Path, target: Path) -> None:
    with closing(files.open_read_only(source)) as conn:
        files.copy_database(conn, target)


def _settle(path: Path) -> None:
    """Makes one file of a database and its write-ahead log."""
    if path.suffix != ".db":
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode=DELETE").fetchall()


def _remove(path: Path) -> None:
    for tail in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{tail}").unlink(missing_ok=True)
