"""vault.db: carries out batches of requests, each batch in one transaction.

Not thread-safe: one thread owns a Storage.  Fencing is decided on rows that were read inside the transaction
(``BEGIN IMMEDIATE``), so that it also holds against another process that still writes the same file.
"""

import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from actors.store.engine import BUSY_TIMEOUT, sync_writer, translate
from actors.store.errors import StoreError
from actors.store.tables import vault_entries, vault_sessions
from actors.store.watch import PROBE, StoreWatch
from actors.vault import fencing, rotation
from actors.vault.envelope import NONCE_BYTES, Entry
from actors.vault.errors import Damaged, VaultError
from actors.vault.fencing import Fence
from actors.vault.keyring import Keyring, MasterKeys, mark, split_mark
from actors.vault.requests import PAGE, Claim, Commit, Load, Request, Reserve, Reset

Answer = dict[str, Any]


_INSERT_ENTRY = insert(vault_entries)
_UPSERT_ENTRY = _INSERT_ENTRY.on_conflict_do_update(
    index_elements=[vault_entries.c.session, vault_entries.c.name],
    set_={name: _INSERT_ENTRY.excluded[name] for name in ("value", "generation")},
)
_DELETE_ENTRY = delete(vault_entries).where(
    vault_entries.c.session == bindparam("of_session"), vault_entries.c.name == bindparam("of_name")
)
_INSERT_SESSION = insert(vault_sessions)
_UPSERT_SESSION = _INSERT_SESSION.on_conflict_do_update(
    index_elements=[vault_sessions.c.session],
    set_={
        name: _INSERT_SESSION.excluded[name]
        for name in ("reserved", "current", "wrapped_key", "paired", "replaced", "updated_at")
    },
)


@dataclass(frozen=True, slots=True)
class _Row:
    fence: Fence = field(default_factory=Fence)
    wrapped_key: bytes | None = None
    paired: bool = False
    replaced: int = 0


class Storage:
    """The open vault; without a master key everything is stored plain.

    Raises StoreError, and MasterKeyError when the keys are not those that the file needs.
    """

    def __init__(self, path: Path, keys: MasterKeys, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self.watch = StoreWatch(path)
        self._keys = Keyring(keys)
        self._clock = clock
        self._rotated: str | None = ""
        """The last session that the rotation has come to; None when none is left."""
        rotation.prepare(path, self._keys)
        self._engine = sync_writer(path)
        try:
            self._conn = self._engine.connect()
            with self._conn.begin():
                self.rotation = rotation.unfinished(self._conn, self._keys)
        except DBAPIError as error:
            raise translate(path, error) from error

    def adopt(self, keys: MasterKeys) -> None:
        """Works with other master keys from now on; another one in charge begins a rotation.

        Raises MasterKeyError or StoreError: all is as it was.
        """
        ring = Keyring(keys)
        try:
            with self._conn.begin():
                rotation.begin(self._conn, self._path, ring)
                found = rotation.unfinished(self._conn, ring)
        except DBAPIError as error:
            raise self._refused(error) from error
        self._keys, self.rotation, self._rotated = ring, found, ""

    def rotate(self) -> bool:
        """The next step of the rotation, durable when it returns: one session, or the end.  Raises StoreError.

        False: it can't end yet, since somebody reads the file, such as a backup.
        """
        if self.rotation is None:
            return True
        try:
            if self._rotated is None:
                return self._end_rotation()
            with self._conn.begin():
                self._rotated = rotation.advance(self._conn, self._keys, self._rotated)
        except (DBAPIError, sqlite3.Error) as error:
            raise self._refused(error) from error
        if self._rotated is not None:
            self.rotation = replace(self.rotation, left=max(0, self.rotation.left - 1))
        return True

    def _end_rotation(self) -> bool:
        if not self._fold():
            return False
        with self._conn.begin():
            rotation.finish(self._conn)
        self.rotation = None
        return True

    def apply(self, batch: Sequence[Request]) -> list[Answer | VaultError]:
        """Carries out a batch in order and returns when it is durable.

        Each request has an answer or a refusal of its own.  Raises StoreError when nothing of the batch was
        stored.
        """
        try:
            with self._conn.begin():
                return _Transaction(self._conn, self._keys, self._clock()).run(batch)
        except DBAPIError as error:
            raise self._refused(error) from error

    def _fold(self) -> bool:
        """Empties the write-ahead log, in which what was replaced still stands.  Outside of any transaction.

        False if somebody reads it; for that it does not wait, as it does for a lock (BUSY_TIMEOUT).
        """
        driver = self._conn.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA busy_timeout=0").fetchall()
        try:
            busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT * 1000:.0f}").fetchall()
        return not busy

    def probe(self) -> None:
        """Tries, if the last write was refused, whether it takes writes again."""
        if self.watch.trouble is None or not self.watch.has_room():
            return
        try:
            with self._conn.begin():
                self._conn.exec_driver_sql(PROBE)
        except DBAPIError as error:
            self._refused(error)
        else:
            self.watch.works()

    def _refused(self, error: DBAPIError | sqlite3.Error) -> StoreError:
        refusal = translate(self._path, error)
        self.watch.refused(refusal)
        return refusal

    def close(self) -> None:
        """Closes the file."""
        self._conn.close()
        self._engine.dispose()


class _Transaction:
    """Works on rows in memory and writes them at the end: few statements, however many requests."""

    def __init__(self, conn: Connection, keys: Keyring, now: float) -> None:
        self._conn = conn
        self._keys = keys
        self._now = now
        self._rows: dict[str, _Row] = {}
        self._changed: set[str] = set()
        self._writes: dict[str, dict[bytes, tuple[bytes, int] | None]] = {}
        """session -> stored name -> (stored value, generation), or None to delete."""

    def run(self, batch: Sequence[Request]) -> list[Answer | VaultError]:
        self._read_rows({request.session for request in batch})
        answers: list[Answer | VaultError] = []
        for request in batch:
            try:
                answers.append(self._one(request))
            except VaultError as refusal:
                answers.append(refusal)
        self._write_entries(list(self._writes))
        self._write_rows()
        return answers

    def _one(self, request: Request) -> Answer:
        row = self._rows.get(request.session, _Row())
        match request:
            case Reserve(session):
                fence = fencing.reserve(row.fence)
                self._set_row(session, replace(row, fence=fence))
                return {"generation": fence.reserved, "replaced": row.replaced}
            case Claim(session, generation):
                fence = fencing.claim(row.fence, generation)
                if fence != row.fence:
                    self._set_row(session, replace(row, fence=fence))
                return {"paired": row.paired}
            case Load(session, generation, after):
                fencing.check(row.fence, generation)
                self._write_entries([session])
                return self._page(row.wrapped_key, session, after)
            case Commit():
                if request.replaced and request.generation == row.replaced:
                    return {}  # stored before, and the answer was lost; whoever reserved since was told of it
                (fencing.check_last if request.replaced else fencing.check)(row.fence, request.generation)
                return self._commit(request, row)
            case Reset(session, generation):
                fencing.check(row.fence, generation)
                self._writes.pop(session, None)
                self._conn.execute(delete(vault_entries).where(vault_entries.c.session == session))
                self._set_row(session, replace(row, paired=False, wrapped_key=self._keys.new_wrapped(session)))
                return {}

    def _commit(self, request: Commit, row: _Row) -> Answer:
        cipher = self._keys.cipher(request.session, row.wrapped_key)
        writes = self._writes.setdefault(request.session, {})
        for key in request.deleted:
            writes[cipher.name(key)] = None
        for key, value in request.entries.items():
            sealed = cipher.seal(Entry(key, value), request.generation, secrets.token_bytes(NONCE_BYTES))
            writes[cipher.name(key)] = (sealed, request.generation)
        paired = row.paired if request.paired is None else request.paired
        replaced = request.generation if request.replaced else row.replaced
        if (paired, replaced) != (row.paired, row.replaced):
            self._set_row(request.session, replace(row, paired=paired, replaced=replaced))
        return {}

    def _page(self, wrapped: bytes | None, session: str, cursor: bytes | None) -> Answer:
        """Pages go by the stored names, which are others under another data key: then it begins anew."""
        cipher, of_key = self._keys.cipher(session, wrapped), mark(wrapped)
        key, after = split_mark(cursor or b"")
        query = select(vault_entries.c.name, vault_entries.c.value, vault_entries.c.generation)
        query = query.where(vault_entries.c.session == session).order_by(vault_entries.c.name)
        if key == of_key:
            query = query.where(vault_entries.c.name > after)
        entries: dict[str, bytes] = {}
        room = PAGE
        last: bytes | None = None
        with self._conn.execute(query) as rows:
            for name, stored, generation in rows:
                if generation > self._rows[session].fence.current:
                    raise Damaged("an entry is of a generation that never owned the session")
                entry = cipher.open(name, stored, generation)
                room -= len(entry.key.encode()) + len(entry.value)
                if room < 0 and entries:
                    return {"entries": entries, "next": of_key + (last or b"")}
                entries[entry.key] = entry.value
                last = name
        return {"entries": entries, "next": None}

    def _set_row(self, session: str, row: _Row) -> None:
        if session not in self._rows:  # one that is plain stays so until the rotation comes to it
            row = replace(row, wrapped_key=self._keys.new_wrapped(session))
        self._rows[session] = row
        self._changed.add(session)

    def _read_rows(self, sessions: set[str]) -> None:
        query = select(vault_sessions).where(vault_sessions.c.session.in_(sessions))
        for found in self._conn.execute(query):
            fence = Fence(found.reserved, found.current)
            self._rows[found.session] = _Row(fence, found.wrapped_key, found.paired, found.replaced)

    def _write_rows(self) -> None:
        if self._changed:
            self._conn.execute(_UPSERT_SESSION, [self._as_stored(session) for session in self._changed])

    def _as_stored(self, session: str) -> dict[str, Any]:
        row = self._rows[session]
        return {
            "session": session,
            "reserved": row.fence.reserved,
            "current": row.fence.current,
            "wrapped_key": row.wrapped_key,
            "paired": row.paired,
            "replaced": row.replaced,
            "updated_at": self._now,
        }

    def _write_entries(self, sessions: Sequence[str]) -> None:
        gone, kept = [], []
        for session in sessions:
            for name, stored in self._writes.pop(session, {}).items():
                if stored is None:
                    gone.append({"of_session": session, "of_name": name})
                else:
                    row = {"session": session, "name": name, "value": stored[0], "generation": stored[1]}
                    kept.append(row)
        if gone:
            self._conn.execute(_DELETE_ENTRY, gone)
        if kept:
            self._conn.execute(_UPSERT_ENTRY, kept)
