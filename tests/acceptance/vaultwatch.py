"""Looks into a plain vault from outside: whether anything in it is corrupt, or older than it was."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

COUNTERS = ("nextPreKeyId", "firstUnuploadedPreKeyId", "accountSyncCounter")
"""Numbers in the credentials that only grow."""


class VaultWatch:
    """Remembers what it saw; each look compares with the one before."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "vault.db"
        self._seen: dict[tuple[str, ...], int] = {}
        self._paired: set[str] = set()

    def forget(self, session: str) -> None:
        """The session was removed with its auth state."""
        self._paired.discard(session)
        self._seen = {key: value for key, value in self._seen.items() if key[0] != session}

    def look(self) -> None:
        """Raises AssertionError naming what went wrong."""
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as conn:
            conn.execute("BEGIN")
            assert conn.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            sessions = conn.execute("SELECT session, reserved, current, paired FROM sessions").fetchall()
            entries = conn.execute("SELECT session, name, value, generation FROM entries").fetchall()
        owners = {}
        for session, reserved, current, paired in sessions:
            owners[session] = current
            assert current <= reserved
            assert paired or session not in self._paired, f"{session} lost its pairing"
            self._paired |= {session} if paired else set()
            self._grown((session, "reserved"), reserved)
            self._grown((session, "current"), current)
        for session, raw, value, generation in entries:
            name = raw.decode()
            assert generation <= owners[session]
            self._grown((session, name, "generation"), generation)
            for counter, number in counters(name, json.loads(value)):
                self._grown((session, name, counter), number)
        assert {session for session, raw, _, _ in entries if raw == b"creds"} >= self._paired

    def _grown(self, key: tuple[str, ...], number: int) -> None:
        before = self._seen.get(key, number)
        assert number >= before, f"{key} went back from {before} to {number}"
        self._seen[key] = number


def counters(name: str, value: Any) -> Iterator[tuple[str, int]]:
    """What only grows in an entry: counters of the credentials, and of each chain of a Signal session."""
    if name == "creds":
        assert value["me"]["id"]
        yield from ((counter, value[counter]) for counter in COUNTERS)
    elif name.startswith("session/"):
        for identity, ratchets in value["_sessions"].items():
            for key, chain in ratchets["_chains"].items():
                yield f"{identity}:{key}", chain["chainKey"]["counter"]
