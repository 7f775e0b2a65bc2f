"""Gives sessions of a daemon that does not run yet a rhythm, as weeks of lively conversations would have left it.

A session that was opened minutes ago has none, and none is called deaf for a silence that nobody can call unusual.
"""

import asyncio
import math
import random
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path

from actors.health.rhythm import MINUTE, Rhythm
from actors.store.engine import open_writer
from actors.store.listening_queries import store_rhythms
from actors.store.migrate import upgrade
from actors.store.tables import Kind

WEEKS = 4
BUSY = 1 - math.exp(-1)
"""Share of minutes in which something arrives, at any hour, where that is a message a minute at random moments."""


def lively(now: float, rng: random.Random) -> Rhythm:
    """A rhythm learned over the weeks before ``now`` (seconds since 1970).  Pure."""
    minutes = WEEKS * 7 * 24 * 60
    began = (now // MINUTE - minutes) * MINUTE
    rhythm = Rhythm(began)
    rhythm.opened(began)
    for minute in range(2, minutes):
        if rng.random() < BUSY:
            rhythm.heard(began + minute * MINUTE, UTC)
    rhythm.closed(now, UTC)
    return rhythm


async def accustom(state_dir: Path, sessions: Iterable[str], now: float, rng: random.Random) -> None:
    """Stores such a rhythm for each of them."""
    await asyncio.to_thread(state_dir.mkdir, mode=0o700, exist_ok=True)
    upgrade(state_dir / "health.db", Kind.HEALTH)
    learned = lively(now, rng).dump()
    async with await open_writer(state_dir / "health.db") as database, database.begin() as conn:
        await store_rhythms(conn, dict.fromkeys(sessions, learned))
