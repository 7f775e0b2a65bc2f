"""A twin of the vault: the same protocol over SQLite in memory, inside the event loop, so that virtual time works.

It can be away (``stop``, ``start``), slow (``hold``) and full (``refuse``).
"""

import asyncio
import sqlite3
from typing import Any

from actors.connectors.fields import BadField, Fields
from actors.runtime import rpc
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, RemoteError

PROTOCOL = 1
MAX_KEY = 512
MAX_VALUE = 3 * 1024 * 1024
PAGE = 1024 * 1024
_SCHEMA = """
CREATE TABLE sessions (
  session TEXT PRIMARY KEY,
  reserved INTEGER NOT NULL DEFAULT 0,
  owner INTEGER NOT NULL DEFAULT 0,
  paired INTEGER NOT NULL DEFAULT 0,
  replaced INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE entries (session TEXT, key TEXT, value BLOB, PRIMARY KEY (session, key));
"""


class VaultTwin:
    """Serves at ``path`` between ``start`` and ``stop``; what was committed outlives that."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.journal: list[tuple[str, str]] = []
        """(command, session) of each request that was answered, in order."""
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._going = asyncio.Event()
        self._going.set()
        self._refusal: str | None = None

    async def start(self) -> None:
        """Listens."""
        self._server = await rpc.serve(self.path, self._connected)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> asyncio.Task[None]:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """Goes away: links end, nobody listens."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in tuple(self._links):
            link.abort()
        await asyncio.gather(*self._tasks)

    def close(self) -> None:
        """Forgets everything."""
        self._db.close()

    def hold(self) -> None:
        """Answers nothing until ``go_on``."""
        self._going.clear()

    def go_on(self) -> None:
        """Ends ``hold``."""
        self._going.set()

    def refuse(self, code: str | None) -> None:
        """Refuses commits with this code; None: accepts them again."""
        self._refusal = code

    def entries(self, session: str) -> dict[str, bytes]:
        """A session's auth state."""
        rows = self._db.execute("SELECT key, value FROM entries WHERE session = ? ORDER BY key", (session,))
        return dict(rows.fetchall())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeted = False

        async def answer(link: Link, request: Frame) -> Any:
            nonlocal greeted
            if not greeted and request["cmd"] != "hello":
                link.abort()
                return None
            greeted = True
            await self._going.wait()
            return self._answer(request)

        link = Link(reader, writer, answer)
        self._links.add(link)
        await link.closed.wait()
        self._links.discard(link)

    def _answer(self, request: Frame) -> Any:
        wire = Fields(request)
        command = wire.text("cmd")
        if command == "hello":
            return _greeting(wire)
        handler = {
            "reserve": self._reserve,
            "claim": self._claim,
            "load": self._load,
            "commit": self._commit,
            "reset": self._reset,
        }.get(command)
        if handler is None:
            raise RemoteError("unknown_command", command)
        try:
            session = wire.text("session")
            self._db.execute("INSERT OR IGNORE INTO sessions (session) VALUES (?)", (session,))
            answer = handler(session, wire)
        except BadField as error:
            raise RemoteError("bad_request", str(error)) from error
        self.journal.append((command, session))
        return answer

    def _reserve(self, session: str, _: Fields) -> Frame:
        update = "UPDATE sessions SET reserved = reserved + 1 WHERE session = ? RETURNING reserved, replaced"
        reserved, replaced = self._db.execute(update, (session,)).fetchone()
        return {"generation": reserved, "replaced": replaced}

    def _claim(self, session: str, wire: Fields) -> Frame:
        generation = wire.integer("generation", least=1)
        query = "SELECT reserved, owner, paired FROM sessions WHERE session = ?"
        reserved, owner, paired = self._db.execute(query, (session,)).fetchone()
        if not owner <= generation <= reserved:
            raise RemoteError("fenced", f"{owner} owns it, {reserved} is reserved")
        self._db.execute("UPDATE sessions SET owner = ? WHERE session = ?", (generation, session))
        return {"paired": bool(paired)}

    def _load(self, session: str, wire: Fields) -> Frame:
        self._expect_owner(session, wire)
        after = wire.get("after") or b""
        page: dict[str, bytes] = {}
        size = 0
        for key, value in self.entries(session).items():
            if key.encode() <= after:
                continue
            size += len(key.encode()) + len(value)
            if size > PAGE and page:
                return {"entries": page, "next": max(page).encode()}
            page[key] = value
        return {"entries": page, "next": None}

    def _commit(self, session: str, wire: Fields) -> Frame:
        if self._refusal is not None:
            raise RemoteError(self._refusal, "as the test wants it")
        replaced = "replaced" in wire and wire.boolean("replaced")
        if replaced and wire.integer("generation", least=1) == self._replaced(session):
            return {}
        generation = self._expect_owner(session, wire)
        if replaced and self._reserved(session) > generation:
            raise RemoteError("fenced", f"{generation} is not the last")
        entries, deleted = wire.get("set") or {}, wire.get("del") or []
        for key, value in entries.items():
            if len(key.encode()) > MAX_KEY or len(value) > MAX_VALUE:
                raise RemoteError("limit", key)
        self._db.execute("BEGIN")
        self._db.executemany("DELETE FROM entries WHERE session = ? AND key = ?", [(session, key) for key in deleted])
        rows = [(session, key, value) for key, value in entries.items()]
        self._db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)
        if "paired" in wire:
            self._set_paired(session, wire.boolean("paired"))
        if replaced:
            self._db.execute("UPDATE sessions SET replaced = ? WHERE session = ?", (generation, session))
        self._db.execute("COMMIT")
        return {}

    def _reset(self, session: str, wire: Fields) -> Frame:
        self._expect_owner(session, wire)
        self._db.execute("DELETE FROM entries WHERE session = ?", (session,))
        self._set_paired(session, False)
        return {}

    def _set_paired(self, session: str, paired: bool) -> None:
        self._db.execute("UPDATE sessions SET paired = ? WHERE session = ?", (int(paired), session))

    def _reserved(self, session: str) -> int:
        return int(self._db.execute("SELECT reserved FROM sessions WHERE session = ?", (session,)).fetchone()[0])

    def _replaced(self, session: str) -> int:
        return int(self._db.execute("SELECT replaced FROM sessions WHERE session = ?", (session,)).fetchone()[0])

    def _expect_owner(self, session: str, wire: Fields) -> int:
        query = "SELECT owner FROM sessions WHERE session = ?"
        (owner,) = self._db.execute(query, (session,)).fetchone()
        if wire.integer("generation") != owner:
            raise RemoteError("fenced", f"{owner} owns it")
        return int(owner)


def _greeting(wire: Fields) -> Frame:
    if wire.integer("protocol") != PROTOCOL:
        raise RemoteError("unsupported_protocol", f"this is protocol {PROTOCOL}")
    if wire.text("role") not in {"connector", "session"}:
        raise RemoteError("bad_request", "role must be connector or session")
    return {"protocol": PROTOCOL}
