"""Changing the master key while the vault works: session by session, resumed after any end.

It begins in one transaction that puts the new master key in charge and remembers a check value of the old one; from
then on what is new is wrapped by the new one, and both open.  Each step is a transaction that gives one session a new
data key, under which its entries are sealed anew.  When none is left, what was replaced still stands in the write-ahead
log: that is emptied, and only then the last step forgets the old check values.  What is left to do is seen from the
rows themselves, so nothing is lost by `kill -9`.
"""

import json
import secrets
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError

from actors.store.engine import sync_writer, translate
from actors.store.tables import vault_entries, vault_meta, vault_sessions
from actors.vault.envelope import NONCE_BYTES
from actors.vault.errors import Damaged, MasterKeyError
from actors.vault.keyring import Keyring, missing

_CHECK: Final = "master_key_check"
"""That it is there says the vault is sealed; it is of the master key in charge."""
_OLD_CHECKS: Final = "previous_key_checks"
"""Check values of the master keys that may still be needed, one after the other."""
ROTATION: Final = "rotation"
"""JSON of Rotation, while it is unfinished."""
_CHECK_BYTES: Final = 61
"""Of a wrapped data key."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One that is unfinished."""

    started_at: float
    """Seconds since 1970."""
    sessions: int
    """That there were when it began."""
    left: int = 0
    """Sessions that are still to be done."""
    damaged: int = 0
    """Sessions whose data key no configured key opens: they were lost before."""

    def to_wire(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def prepare(path: Path, keys: Keyring) -> bool:
    """Checks the keys against the file and begins what they mean; the first key ever seals what was plain, at once.

    Returns whether a rotation is unfinished.

    All in one transaction on a connection of its own: closing it removes the write-ahead log with what was plain
    (deleted content is overwritten).  Raises StoreError, MasterKeyError.
    """
    engine = sync_writer(path)
    try:
        with engine.begin() as conn:
            was_plain = _read(conn, _CHECK) is None
            begin(conn, path, keys)
            if was_plain and keys.sealed:
                for session in conn.execute(select(vault_sessions.c.session)).scalars().all():
                    reseal(conn, keys, session)
                finish(conn)
            return _read(conn, ROTATION) is not None
    except DBAPIError as error:
        raise translate(path, error) from error
    finally:
        engine.dispose()


def begin(conn: Connection, path: Path, keys: Keyring) -> None:
    """Puts the configured keys in charge, in a transaction.  Raises MasterKeyError: nothing of it may be kept."""
    check, old = _read(conn, _CHECK), _old_checks(conn)
    if check is None:
        if keys.sealed:
            _start(conn, keys, [])
        return
    if not keys.sealed:
        raise MasterKeyError(f"{path} is sealed, but no master key is configured: configure the key it was sealed with")
    if missing(keys, [check]):
        raise MasterKeyError(
            f"{path} is sealed with another master key than the configured one: configure that key again; "
            "to change it, put the old one into vault.previous_keys; if it is lost, move the file away and pair anew"
        )
    if missing(keys, old):
        raise MasterKeyError(
            f"{path}: a rotation of the master key is unfinished, and the key before it is not configured: "
            "put it back into vault.previous_keys until wavigil vault status says that it is done"
        )
    if not keys.masters(check):
        _start(conn, keys, [*old, check])


def _start(conn: Connection, keys: Keyring, old: list[bytes]) -> None:
    check = keys.new_check()
    assert check is not None
    _write(conn, _CHECK, check)
    if old:
        _write(conn, _OLD_CHECKS, b"".join(old))
    sessions = len(conn.execute(select(vault_sessions.c.session)).all())
    _write(conn, ROTATION, json.dumps(Rotation(time.time(), sessions, sessions).to_wire()).encode())


def unfinished(conn: Connection, keys: Keyring) -> Rotation | None:
    """What is left of a rotation; None if there is none."""
    text = _read(conn, ROTATION)
    if text is None:
        return None
    rows = conn.execute(select(vault_sessions.c.session, vault_sessions.c.wrapped_key)).all()
    left = [(session, wrapped) for session, wrapped in rows if not keys.is_current(session, wrapped)]
    damaged = sum(not _is_open(keys, session, wrapped) for session, wrapped in left)
    return replace(Rotation(**json.loads(text)), left=len(left) - damaged, damaged=damaged)


def advance(conn: Connection, keys: Keyring, after: str) -> str | None:
    """Does the next session after ``after`` that needs it, and returns it; None if there is none."""
    query = select(vault_sessions.c.session, vault_sessions.c.wrapped_key).where(vault_sessions.c.session > after)
    with conn.execute(query.order_by(vault_sessions.c.session)) as rows:
        due = (name for name, wrapped in rows if not keys.is_current(name, wrapped) and _is_open(keys, name, wrapped))
        session: str | None = next(due, None)
    if session is not None:
        reseal(conn, keys, session)
    return session


def finish(conn: Connection) -> None:
    """Forgets that there was a rotation, and the keys before it."""
    conn.execute(delete(vault_meta).where(vault_meta.c.key.in_([_OLD_CHECKS, ROTATION])))


def reseal(conn: Connection, keys: Keyring, session: str) -> None:
    """Gives a session a new data key, wrapped by the master key, and seals its entries under it.

    If one of them does not open it stays as damaged as it is, with the others: then only the wrapping changes.
    """
    of_session = vault_entries.c.session == session
    before = conn.execute(select(vault_sessions.c.wrapped_key).where(vault_sessions.c.session == session)).scalar_one()
    old = keys.cipher(session, before)
    columns = (vault_entries.c.name, vault_entries.c.value, vault_entries.c.generation)
    try:
        rows = conn.execute(select(*columns).where(of_session))
        opened = [(old.open(name, value, at), at) for name, value, at in rows]
    except Damaged:
        wrapped = keys.rewrapped(session, before)
    else:
        wrapped = keys.new_wrapped(session)
        new = keys.cipher(session, wrapped)
        conn.execute(delete(vault_entries).where(of_session))
        sealed = [
            {
                "session": session,
                "name": new.name(entry.key),
                "value": new.seal(entry, at, secrets.token_bytes(NONCE_BYTES)),
                "generation": at,
            }
            for entry, at in opened
        ]
        if sealed:
            conn.execute(insert(vault_entries), sealed)
    conn.execute(update(vault_sessions).where(vault_sessions.c.session == session).values(wrapped_key=wrapped))


def _is_open(keys: Keyring, session: str, wrapped: bytes | None) -> bool:
    try:
        keys.cipher(session, wrapped)
    except MasterKeyError:
        return False
    return True


def _old_checks(conn: Connection) -> list[bytes]:
    joined = _read(conn, _OLD_CHECKS) or b""
    return [joined[at : at + _CHECK_BYTES] for at in range(0, len(joined), _CHECK_BYTES)]


def _read(conn: Connection, key: str) -> bytes | None:
    return conn.execute(select(vault_meta.c.value).where(vault_meta.c.key == key)).scalar_one_or_none()


def _write(conn: Connection, key: str, value: bytes) -> None:
    statement = upsert(vault_meta).values(key=key, value=value)
    conn.execute(statement.on_conflict_do_update(index_elements=[vault_meta.c.key], set_={"value": value}))
