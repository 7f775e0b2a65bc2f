"""How long questions about recovery take with 90 days of a large fleet in the ledger.

``python -m tests.bench.ledger --sessions 1000 --days 90 --episodes 3`` (episodes of each session a day)
"""

import argparse
import asyncio
import functools
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from actors.recovery.days import Days
from actors.store import episode_queries
from actors.store.direct import Statements
from actors.store.engine import open_reader, open_writer
from actors.store.episode_queries import DAY, EpisodeFilter
from actors.store.migrate import upgrade
from actors.store.tables import Kind, episodes
from tests.bench.machine import end_on_sigterm

CAUSES = ("connection_lost", "heartbeat_lost", "connector_lost", "service_unavailable", "network_unreachable", "deaf")
OUTCOMES = (("healed", 0.97), ("halted", 0.02), ("operator", 0.01))
REPEATED = 7
BATCH = 10_000


async def fill(path: Path, args: argparse.Namespace, now: float) -> int:
    """Writes a ledger; returns the number of episodes."""
    rng = random.Random(args.seed)
    begins = sorted(now - rng.uniform(0, args.days * DAY) for _ in range(args.sessions * args.days * args.episodes))

    def row(began: float) -> dict[str, Any]:
        found = began + rng.expovariate(0.2)
        end = found + rng.lognormvariate(1.5, 1.2)
        (outcome,) = rng.choices([name for name, _ in OUTCOMES], [share for _, share in OUTCOMES])
        return {
            "session": f"session-{rng.randrange(args.sessions):04}",
            "cause": rng.choice(CAUSES),
            "strategy": rng.choice(("reconnect", "reconnect", "reconnect", "restart", "failover")),
            "attempts": rng.randrange(1, 9),
            "started_at": began,
            "detected_at": found,
            "healed_at": end if outcome == "healed" else None,
            "ended_at": end,
            "outcome": outcome,
            "data": {"lastCause": "connection_lost", "failures": 2, "waitingSince": None, "plannedBy": {"session": 2}},
        }

    async with await open_writer(path) as database:
        for start in range(0, len(begins), BATCH):
            async with database.begin() as conn:
                await conn.execute(insert(episodes), [row(began) for began in begins[start : start + BATCH]])
        began = time.monotonic()
        await Days(database).keep(now, 0.0)
        print(f"all days summed up in {time.monotonic() - began:.1f} s")
    return len(begins)


async def ask(path: Path, now: float) -> dict[str, list[float]]:
    """Milliseconds of each question."""
    windows = {"1 h": 3600.0, "24 h": float(DAY), "7 d": 7.0 * DAY, "90 d": 90.0 * DAY - 7200.0}
    questions: dict[str, Callable[[Statements], Awaitable[Any]]] = {
        f"summary of {name}": functools.partial(episode_queries.sums_since, since=now - back)
        for name, back in windows.items()
    }
    filters = {
        "all": EpisodeFilter(),
        "a session": EpisodeFilter(session="session-0007"),
        "a cause and an outcome": EpisodeFilter(cause="deaf", outcome="halted"),
        "a month": EpisodeFilter(since=now - 60.0 * DAY, until=now - 30.0 * DAY, outcome="operator"),
        "those that go on": EpisodeFilter(open=True),
    }
    for name, wanted in filters.items():
        listed = functools.partial(episode_queries.list_episodes, wanted=wanted, limit=100)
        questions[f"100 episodes of {name}"] = listed
    found: dict[str, list[float]] = {}
    async with await open_reader(path) as database:
        for name, question in questions.items():
            times = []
            for _ in range(REPEATED):
                began = time.perf_counter()
                await database.run(question)
                times.append((time.perf_counter() - began) * 1000)
            found[name] = times
    return found


async def measure(args: argparse.Namespace) -> int:
    """Prints a line a question; status 1 if one takes longer than ``--limit``."""
    now = time.time()
    with tempfile.TemporaryDirectory(prefix="wv") as name:
        path = Path(name) / "recovery.db"
        upgrade(path, Kind.RECOVERY)
        began = time.monotonic()
        number = await fill(path, args, now)
        size = path.stat().st_size / 2**20
        print(f"{number} episodes, {size:.0f} MiB, written in {time.monotonic() - began:.0f} s")
        slowest = 0.0
        for question, times in (await ask(path, now)).items():
            slowest = max(slowest, *times)
            median = sorted(times)[REPEATED // 2]
            print(f"{question:40} first {times[0]:6.1f} ms  median {median:6.1f} ms  most {max(times):6.1f} ms")
    return int(slowest > args.limit)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--episodes", type=int, default=3, help="of each session a day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=200.0, help="milliseconds that the slowest answer may take")
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
