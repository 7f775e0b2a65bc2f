"""Follows what a daemon stores: transitions of sessions, verdicts of health, deeds of recovery.

Reads the databases beside the daemon, read-only, and finds gaps: a number that an outbox does not have was lost.
"""

import asyncio
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.bench.campaign.truth import Acted, Judged, Moved

LOOK_S = 0.1
NEW_ACTOR = "starting"
"""State of a session's actor before it knows where the one before it stopped."""
OUTBOX = "SELECT seq, at, type, session, data FROM outbox WHERE seq > ? ORDER BY seq"
NUMBERS = "SELECT seq FROM outbox WHERE seq > ? ORDER BY seq"
LEDGER = "SELECT id, at, session, strategy FROM actions WHERE id > ? ORDER BY id"


class Watch:
    """All databases of a state directory from now on.  Use ``run`` as a task; ``until`` waits for a session."""

    def __init__(self, state_dir: Path) -> None:
        self.seen: list[Moved | Judged | Acted] = []
        self.state: dict[str, Moved] = {}
        """The last transition of each session."""
        self.gaps: list[str] = []
        self._folder = state_dir
        self._open: dict[str, sqlite3.Connection] = {}
        self._cursors: dict[str, int] = {}
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Reads on everywhere."""
        for file in sorted(self._folder.glob("shard-*.db")):
            self._follow(file.stem, self._outbox)
        self._follow("health", self._outbox)
        self._follow("recovery", self._ledger)
        for name in ("recovery", "api"):
            self._follow(name, self._numbers)

    def close(self) -> None:
        """Closes the databases."""
        for conn in self._open.values():
            conn.close()
        self._open.clear()

    async def until(self, session: str, check: Callable[[Moved | None], bool], patience: float) -> bool:
        """Waits until the last transition of a session is as wanted; whether it came to that."""
        return await self._wait(session, lambda: check(self.state.get(session)), patience)

    async def sees(self, session: str, check: Callable[[Moved | Judged | Acted], bool], patience: float) -> bool:
        """Waits for something new of a session, also if more has followed when it is read; whether it came."""
        looked = len(self.seen)

        def there() -> bool:
            nonlocal looked
            fresh, looked = self.seen[looked:], len(self.seen)
            return any(what.session == session and check(what) for what in fresh)

        return await self._wait(session, there, patience)

    async def _wait(self, session: str, there: Callable[[], bool], patience: float) -> bool:
        news = asyncio.Event()
        self._waiting[session].add(news)
        try:
            async with asyncio.timeout(patience):
                while not there():
                    news.clear()
                    await news.wait()
        except TimeoutError:
            return there()
        finally:
            self._waiting[session].discard(news)
        return True

    def _follow(self, name: str, read: Callable[[str, sqlite3.Connection], None]) -> None:
        if name not in self._open:
            path = self._folder / f"{name}.db"
            if not path.exists():
                return
            self._open[name] = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1.0)
        with suppress(sqlite3.OperationalError):  # busy, or a table that is not there yet: the next look has it
            read(name, self._open[name])

    def _outbox(self, name: str, conn: sqlite3.Connection) -> None:
        for seq, at, type, session, data in conn.execute(OUTBOX, (self._cursors.get(name, 0),)):
            if name in self._cursors and seq != self._cursors[name] + 1:
                self.gaps.append(f"{name}: {seq} follows {self._cursors[name]}")
            self._cursors[name] = seq
            if type == "session.state":
                self._moved(session, at, json.loads(data))
            elif type == "health.liveness":
                self._saw(session, Judged(session, at, str(json.loads(data).get("liveness"))))

    def _numbers(self, name: str, conn: sqlite3.Connection) -> None:
        """Of an outbox in which nothing is looked for but gaps."""
        key = f"{name}'s outbox"
        for (seq,) in conn.execute(NUMBERS, (self._cursors.get(key, 0),)):
            if key in self._cursors and seq != self._cursors[key] + 1:
                self.gaps.append(f"{name}: {seq} follows {self._cursors[key]}")
            self._cursors[key] = seq

    def _moved(self, session: str, at: float, data: dict[str, object]) -> None:
        cause = data.get("cause")
        named = None if cause is None else str(cause)
        move = Moved(session, at, str(data["state"]), str(data["previous"]), named, data.get("resumed") is True)
        before = self.state.get(session)
        if before is not None and move.previous not in {before.state, NEW_ACTOR} and not move.resumed:
            self.gaps.append(f"{session}: went from {move.previous} at {at:.3f}, but was {before.state}")
        self.state[session] = move
        self._saw(session, move)

    def _ledger(self, name: str, conn: sqlite3.Connection) -> None:
        for id, at, session, strategy in conn.execute(LEDGER, (self._cursors.get(name, 0),)):
            self._cursors[name] = id
            self._saw(session, Acted(session, at, strategy))

    def _saw(self, session: str, what: Moved | Judged | Acted) -> None:
        self.seen.append(what)
        for event in self._waiting.get(session, ()):
            event.set()
