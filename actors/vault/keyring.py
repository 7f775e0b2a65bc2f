"""Which key opens what: master key, data keys of the sessions, and the change from plain to sealed."""

import secrets
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from actors.store.engine import sync_writer, translate
from actors.store.tables import vault_entries, vault_meta, vault_sessions
from actors.vault.envelope import KEY_BYTES, NONCE_BYTES, Cipher, PlainCipher, SealedCipher, unwrap, wrap
from actors.vault.errors import MasterKeyError

_CHECK: Final = "master_key_check"
"""A wrapped data key of no session: that it is there says the vault is sealed; it tests the master key."""


class Keyring:
    """The master key (KEY_BYTES, or None for a plain vault) and the ciphers made with it.

    Raises MasterKeyError when the key has another length.
    """

    def __init__(self, master_key: bytes | None) -> None:
        if master_key is not None and len(master_key) != KEY_BYTES:
            raise MasterKeyError(f"the master key must have {KEY_BYTES} bytes, not {len(master_key)}")
        self._master = master_key
        self._ciphers: dict[str, tuple[bytes, Cipher]] = {}

    @property
    def sealed(self) -> bool:
        """Whether a master key is configured."""
        return self._master is not None

    def new_wrapped(self, session: str) -> bytes | None:
        """A fresh data key for a session, wrapped; None without a master key."""
        if self._master is None:
            return None
        return wrap(self._master, session, secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES))

    def opens(self, wrapped: bytes) -> bool:
        """Whether the master key is the one that wrapped the check value."""
        if self._master is None:
            return False
        try:
            unwrap(self._master, _CHECK, wrapped)
        except MasterKeyError:
            return False
        return True

    def cipher(self, session: str, wrapped: bytes | None) -> Cipher:
        """The cipher of a session.  Raises MasterKeyError when its data key can't be unwrapped."""
        if wrapped is None:
            return PlainCipher()
        known = self._ciphers.get(session)
        if known is not None and known[0] == wrapped:
            return known[1]
        if self._master is None:
            raise MasterKeyError("the session is sealed, but no master key is configured")
        cipher = SealedCipher(session, unwrap(self._master, session, wrapped))
        self._ciphers[session] = (wrapped, cipher)
        return cipher


def prepare(path: Path, keys: Keyring) -> None:
    """Checks the master key against the file; the first time a key is configured, seals what was plain.

    All in one transaction on a connection of its own: closing it removes the write-ahead log with what was
    plain (deleted content is overwritten).  Raises StoreError, MasterKeyError.
    """
    engine = sync_writer(path)
    try:
        with engine.begin() as conn:
            query = select(vault_meta.c.value).where(vault_meta.c.key == _CHECK)
            check = conn.execute(query).scalar_one_or_none()
            if check is None and keys.sealed:
                conn.execute(insert(vault_meta).values(key=_CHECK, value=keys.new_wrapped(_CHECK)))
                _seal_all(conn, keys)
            elif check is not None and not keys.sealed:
                raise MasterKeyError(
                    f"{path} is sealed, but no master key is configured: configure the key it was sealed with"
                )
            elif check is not None and not keys.opens(check):
                raise MasterKeyError(
                    f"{path} is sealed with another master key than the configured one: configure that key "
                    "again, or move the file away and pair all sessions anew"
                )
    except DBAPIError as error:
        raise translate(path, error) from error
    finally:
        engine.dispose()


def _seal_all(conn: Connection, keys: Keyring) -> None:
    for session in conn.execute(select(vault_sessions.c.session)).scalars().all():
        wrapped = keys.new_wrapped(session)
        cipher = keys.cipher(session, wrapped)
        of_session = vault_entries.c.session == session
        columns = (vault_entries.c.name, vault_entries.c.value, vault_entries.c.generation)
        plain = conn.execute(select(*columns).where(of_session)).all()
        conn.execute(delete(vault_entries).where(of_session))
        sealed = []
        for name, value, generation in plain:
            entry = PlainCipher().open(name, value, generation)
            stored = cipher.seal(entry, generation, secrets.token_bytes(NONCE_BYTES))
            sealed.append(
                {
                    "session": session,
                    "name": cipher.name(entry.key),
                    "value": stored,
                    "generation": generation,
                }
            )
        if sealed:
            conn.execute(insert(vault_entries), sealed)
        conn.execute(update(vault_sessions).where(vault_sessions.c.session == session).values(wrapped_key=wrapped))
