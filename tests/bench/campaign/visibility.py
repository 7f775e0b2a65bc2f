"""How soon HTTP shows what happens to a session: troubles that are independent of each other, some each second."""

import asyncio
import math
import random
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.bench.campaign.drill import placement
from tests.bench.campaign.kinds import BY_NAME
from tests.bench.campaign.world import World
from tests.bench.machine import percentile, row
from tests.fixtures_daemon import Daemon

MEDIAN_MS = 100.0
MOST_MS = 500.0
LOOK_S = 0.01
PATIENCE_S = 10.0
ROUNDING_S = 0.002
"""Both moments are whole milliseconds."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A loss, and when it was shown."""

    session: str
    at: float
    """When it happened, as the connector stamps it; seconds since 1970."""
    took: float
    """Seconds until HTTP showed it; ``PATIENCE_S`` if it did not within that."""


class Losses:
    """Losses that are not shown yet.  Each is looked for from the moment it happened, whatever becomes of the others.

    Pure: what was asked for and answered comes from outside.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, float] = {}
        self.shown: list[Shown] = []

    @property
    def waiting(self) -> Sequence[str]:
        """The sessions to ask for."""
        return list(self._waiting)

    def struck(self, session: str, at: float) -> None:
        """The session lost its connection."""
        self._waiting[session] = at

    def seen(self, page: Sequence[Mapping[str, Any]], now: float) -> None:
        """Takes statuses as the API has them, of an answer that had come by ``now``."""
        for status in page:
            session = status["sessionId"]
            at = self._waiting.get(session)
            if at is not None and shows_loss(status, at):
                self._end(session, now - at)
        for session, at in list(self._waiting.items()):
            if now - at > PATIENCE_S:
                self._end(session, PATIENCE_S)

    def _end(self, session: str, took: float) -> None:
        self.shown.append(Shown(session, self._waiting.pop(session), took))


def shows_loss(status: Mapping[str, Any], at: float) -> bool:
    """Whether a status tells that a session, open until ``at``, lost its connection since.  Pure.

    It does as long as the session is not back, by its cause.  Once it is open again there is no cause, but it is so
    only since a moment after the loss: who came back between two looks is not taken for one that never left.
    """
    cause, since = status["statusMetadata"]["cause"], status["statusMetadata"]["since"]
    told = [since] if cause is None or cause["at"] is None else [since, cause["at"]]
    return any(datetime.fromisoformat(moment).timestamp() >= at - ROUNDING_S for moment in told)


async def losses(daemon: Daemon, world: World, victims: Sequence[str], rate: float) -> list[Shown]:
    """Cuts the connections of these sessions, ``rate`` a second, and looks each 10 ms for those not shown yet."""
    found = Losses()
    async with asyncio.TaskGroup() as group:
        striking = group.create_task(_strike(found, world, victims, rate))
        while not striking.done() or found.waiting:
            if waiting := found.waiting:
                page = await daemon.get(f"/api/whatsapp-status/bulk?limit=1000&ids={','.join(waiting)}")
                found.seen(page["sessions"], time.time())
            await asyncio.sleep(LOOK_S)
    return found.shown


async def _strike(found: Losses, world: World, victims: Sequence[str], rate: float) -> None:
    began = time.monotonic()
    for number, session in enumerate(victims):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        found.struck(session, await world.strike(BY_NAME["fin"], session))


def report(shown: Sequence[Shown], rate: float, shard_of: Mapping[str, str]) -> list[str]:
    """The figures, then a line for each that was late."""
    lines = [row(f"fault -> HTTP, {rate:g} faults/s, looked for every 10 ms", [each.took * 1000 for each in shown])]
    began = min(each.at for each in shown)
    for each in sorted(shown, key=lambda each: each.at):
        if each.took * 1000 > MOST_MS:
            where = f"{each.session} of {shard_of[each.session]}"
            lines.append(f"    {each.took * 1000:.0f} ms: {where}, {each.at - began:.1f} s after the first")
    return lines


async def delays(daemon: Daemon) -> dict[float, float]:
    """By the daemon's own measure: upper bound in seconds -> changes of state that were shown within it so far."""
    pattern = r'^wavigil_session_state_shown_seconds_bucket\{le="(.+)"\} (.+)$'
    found = re.findall(pattern, await daemon.get("/metrics"), re.MULTILINE)
    return {float(bound): float(count) for bound, count in found}


def own_figures(counts: Mapping[float, float]) -> str:
    """One line: what the daemon measured itself, which owes nothing to how the bench looks."""
    total = max(counts[math.inf], 1)
    shares = ", ".join(f"{bound:g} s {counts[bound] / total:.1%}" for bound in sorted(counts) if bound <= 1.0)
    return f"    transition -> main, as the daemon itself measures, n={counts[math.inf]:.0f}: within {shares}"


async def visibility(
    daemon: Daemon, world: World, ids: Sequence[str], count: int, rate: float, rng: random.Random
) -> list[str]:
    """Cuts as many sessions, chosen at random, and prints the figures; returns what falls short of what is promised."""
    before = await delays(daemon)
    shown = await losses(daemon, world, rng.sample(list(ids), min(count, len(ids))), rate)
    lines = report(shown, rate, placement(daemon.state_dir))
    after = await delays(daemon)
    lines.append(own_figures({bound: after[bound] - before[bound] for bound in after}))
    print("\n".join(lines), flush=True)
    times = [each.took * 1000 for each in shown]
    found = []
    if percentile(times, 0.5) > MEDIAN_MS:
        found.append(f"half of the faults are shown later than {MEDIAN_MS:g} ms")
    if max(times) > MOST_MS:
        found.append(f"a fault was shown only after {max(times):.0f} ms")
    return found
