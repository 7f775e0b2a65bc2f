"""Where the time of a cut went: until the first was let in, from slot to slot, and in the last login."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from actors.admission.slots import pace
from tests.bench.campaign.truth import Moved
from tests.fixtures_daemon import Daemon

COUNTED_WITHIN = 20.0
LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Slots:
    """Of the whole fleet, since its hosts began."""

    used: int
    lost: int
    """Those for which the connector was too late."""


@dataclass(frozen=True, slots=True)
class Course:
    """Times in seconds since all could be let in."""

    attempts: Sequence[float]
    """When connections began, as the server saw them; in order."""
    bound: float
    """Connects per second, as configured."""
    lost: int
    moves: Sequence[Moved]
    """Those of the session that was open last."""
    began: float
    """What their times are compared with."""

    def lines(self) -> list[str]:
        """For the table."""
        if not self.attempts:
            return ["    nobody was let in"]
        first, last = self.attempts[0], self.attempts[-1]
        least = pace(self.bound)
        behind = [(at - first) / least - number for number, at in enumerate(self.attempts)]
        late = f"{max(behind):.0f} behind at most, {max(0.0, behind[-1]):.0f} in the end; {self.lost} taken too late"
        found = [
            f"    the first let in after {first:.2f} s, then {len(self.attempts) - 1} more within {last - first:.2f} s",
            f"    a slot each {least * 1000:.1f} ms: {late}",
        ]
        each = Counter(int(at) for at in self.attempts)
        found.append(f"    in each second: {' '.join(str(each[second]) for second in range(int(last) + 1))}")
        tries = sum(move.state == "connecting" for move in self.moves)
        if self.moves:
            told = ", ".join(f"{move.state} {move.at - self.began:.2f} s" for move in self.moves)
            found.append(f"    the last open was {self.moves[0].session}, {tries} attempts: {told}")
        return found


def course(
    times: Iterable[float], moves: Iterable[Moved], began: float, bound: float, slots: tuple[Slots, Slots]
) -> Course:
    """``times`` of attempts and ``moves`` of all since the blow; ``slots`` before and after it.  Pure."""
    moves = [move for move in moves if not move.resumed]
    opened = max((move for move in moves if move.state == "open"), key=lambda move: move.at, default=None)
    last = [move for move in moves if opened is not None and move.session == opened.session]
    attempts = sorted(at - began for at in times if at >= began)
    return Course(attempts, bound, slots[1].lost - slots[0].lost, last, began)


async def slots_counted(daemon: Daemon, least: int) -> Slots:
    """What the hosts count, once they have told of ``least`` used ones or seem not to; they tell each some seconds."""
    end = time.monotonic() + COUNTED_WITHIN
    while True:
        text = await daemon.get("/metrics")
        used = _sum(text, "wavigil_admission_connects_total")
        if used >= least or time.monotonic() > end:
            return Slots(used, _sum(text, "wavigil_admission_slots_lost_total"))
        await asyncio.sleep(LOOK_S)


def _sum(text: str, name: str) -> int:
    return round(sum(float(value) for value in re.findall(rf"^{name}\{{[^}}]*\}} (.+)$", text, re.MULTILINE)))
