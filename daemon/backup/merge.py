"""Putting auth states of a backup's vault.db into another one, session by session, where that does no harm."""

import secrets
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError

from actors.store.engine import sync_reader, sync_writer, translate
from actors.store.tables import vault_entries, vault_sessions
from actors.vault.envelope import NONCE_BYTES, Entry
from actors.vault.errors import Damaged, MasterKeyError
from actors.vault.keyring import Keyring
from daemon.backup.verdicts import AuthState, Decision, Verdict, decide


def sessions(path: Path) -> list[str]:
    """Those of a vault that have an auth state."""
    engine = sync_reader(path)
    try:
        with engine.begin() as conn:
            return list(
                conn.execute(select(vault_entries.c.session).distinct().order_by(vault_entries.c.session)).scalars()
            )
    except DBAPIError as error:
        raise translate(path, error) from error
    finally:
        engine.dispose()


def merge(offered: Path, into: Path, keys: Keyring) -> dict[str, Decision]:
    """Decides on each session of ``offered`` and takes over what may be, all in one transaction.

    ``into`` was prepared with the same keys.  Raises StoreError, VaultError.
    """
    reader, writer = sync_reader(offered), sync_writer(into)
    try:
        with reader.begin() as there, writer.begin() as here:
            return {session: _one(there, here, session, keys) for session in sessions(offered)}
    except DBAPIError as error:
        raise translate(into, error) from error
    finally:
        reader.dispose()
        writer.dispose()


def _one(there: Connection, here: Connection, session: str, keys: Keyring) -> Decision:
    try:
        new = _read(there, session, keys)
        assert new is not None
    except Damaged:
        return Decision(Verdict.REFUSED, "it is damaged in the backup")
    except MasterKeyError:
        return Decision(Verdict.REFUSED, "the backup has it sealed with a key that is not configured")
    try:
        old = _read(here, session, keys)
    except (Damaged, MasterKeyError):
        old = None  # it can't be read by anybody
    decision = decide(old, new)
    if decision.verdict is Verdict.TAKEN:
        _write(there, here, session, new, keys)
    return decision


def _read(conn: Connection, session: str, keys: Keyring) -> AuthState | None:
    row = conn.execute(select(vault_sessions).where(vault_sessions.c.session == session)).one_or_none()
    if row is None:
        return None
    cipher = keys.cipher(session, row.wrapped_key)
    columns = (vault_entries.c.name, vault_entries.c.value, vault_entries.c.generation)
    entries = [
        cipher.open(*found) for found in conn.execute(select(*columns).where(vault_entries.c.session == session))
    ]
    return AuthState(row.current, {entry.key: entry.value for entry in entries})


def _write(there: Connection, here: Connection, session: str, state: AuthState, keys: Keyring) -> None:
    """Under a data key of its own, and a generation that nobody has had."""
    query = select(vault_sessions).where(vault_sessions.c.session == session)
    offered, kept = there.execute(query).one(), here.execute(query).one_or_none()
    highest = max(offered.reserved, kept.reserved if kept is not None else 0) + 1
    row = {
        "reserved": highest,
        "current": highest,
        "wrapped_key": keys.new_wrapped(session),
        "paired": offered.paired,
        "replaced": highest,
        "updated_at": offered.updated_at,
    }
    statement = upsert(vault_sessions).values(session=session, **row)
    here.execute(statement.on_conflict_do_update(index_elements=[vault_sessions.c.session], set_=row))
    here.execute(delete(vault_entries).where(vault_entries.c.session == session))
    cipher = keys.cipher(session, row["wrapped_key"])
    sealed = [
        {
            "session": session,
            "name": cipher.name(key),
            "value": cipher.seal(Entry(key, value), highest, secrets.token_bytes(NONCE_BYTES)),
            "generation": highest,
        }
        for key, value in state.entries.items()
    ]
    if sealed:
        here.execute(insert(vault_entries), sealed)
