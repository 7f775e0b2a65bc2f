"""All sessions cut at once, or nobody let in for an hour: how often the server is called, and how soon all are back."""

import asyncio
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from actors.admission.outage import LONGEST_WAIT
from tests.bench.campaign.course import Course, course, slots_counted
from tests.bench.campaign.truth import Moved
from tests.bench.campaign.visibility import shows_loss
from tests.bench.campaign.watch import Watch
from tests.bench.campaign.world import World
from tests.bench.fleet import statuses
from tests.fixtures_daemon import Daemon, until

FIRST_S = 10.0
PROBE_S = LONGEST_WAIT
"""The longest pause between two attempts while the server is away: so late is its return noticed, at worst."""
MARGIN = 1.2
"""All are back within what the bound on connects allows, and a fifth of it more."""
SHOWN_WITHIN = 5.0
BULK_S = 0.5
"""Between two looks of HTTP, each of which costs the daemon some."""
NAMED = 500
"""Sessions that may be asked for by name, without a longer address than is taken."""


def peak(times: Sequence[float], window: float = 1.0) -> int:
    """The most of these moments within any one window of so many seconds.  Pure."""
    ordered = sorted(times)
    return max((bisect_left(ordered, at + window) - index for index, at in enumerate(ordered)), default=0)


@dataclass(frozen=True, slots=True)
class Cut:
    """What came of one cut or outage; times in seconds since the blow, or since its end."""

    sessions: int
    bound: float
    """Connects per second, as configured."""
    lasted: float
    """How long nobody was let in."""
    meanwhile: int
    """Attempts while nobody was let in."""
    at_first: int
    """Of these within the first ten seconds, in which nobody can know yet that all suffer from the same."""
    peak: int
    """Most attempts within a second, from the blow until all were back."""
    told: int
    """Attempts that the server told of, in all."""
    shown: float | None
    """Until HTTP had shown the loss of the last of them; None: never."""
    back: float | None
    """From the end until the last was open; None: not in time."""
    course: Course | None = None
    """Where the time went."""

    @property
    def allowed(self) -> float:
        """Seconds in which all have to be back."""
        return self.sessions / self.bound * MARGIN + (PROBE_S if self.lasted else 0.0)

    def lines(self) -> list[str]:
        """For the table."""
        back = "never" if self.back is None else f"{self.back:.1f} s"
        found = [f"{self.sessions} sessions cut at once, nobody let in for {self.lasted:g} s:"]
        if self.lasted:
            rate = self.meanwhile / self.lasted
            found.append(f"    connects meanwhile {self.meanwhile}: {rate:.2f}/s in all (bound 1/s)")
            found.append(f"    {self.at_first} of them in the first {FIRST_S:g} s")
        found.append(f"    most connects within a second, as the server saw them: {self.peak} (bound {self.bound:g})")
        found.append(f"    all open again after {back} (allowed {self.allowed:.1f} s)")
        if self.course is not None:
            found += self.course.lines()
        shown = "never, for some of them" if self.shown is None else f"within {self.shown:.2f} s"
        found.append(f"    shown over HTTP {shown} (allowed {SHOWN_WITHIN:g} s)")
        return found

    def shortfalls(self) -> list[str]:
        """What is not as promised.  Pure."""
        found = []
        if self.told < self.sessions:
            found.append(f"the server told of {self.told} attempts only")
        if self.peak > self.bound:
            found.append(f"{self.peak} connects within a second, bound {self.bound:g}")
        if self.lasted and self.meanwhile / self.lasted >= 1:
            found.append(f"{self.meanwhile / self.lasted:.2f} connects/s while the server was away")
        if self.back is None or self.back > self.allowed:
            found.append(f"not all back within {self.allowed:.1f} s")
        if self.shown is None:
            found.append("HTTP never showed the loss of some of them")
        elif self.shown > SHOWN_WITHIN:
            found.append(f"HTTP showed the cut only after {self.shown:.1f} s")
        return found


async def cut(daemon: Daemon, world: World, watch: Watch, ids: Sequence[str], bound: float, outage: float) -> Cut:
    """Cuts all sessions, with the server away for ``outage`` seconds (0: it is there at once)."""
    slots = await slots_counted(daemon, len(ids))
    began = time.time()
    calls, seen, before = len(world.attempts), len(watch.seen), set(ids)
    looking = asyncio.create_task(_shown(daemon, set(ids), began))
    at = await (world.shut(outage) if outage else world.cut(ids))
    end = at + outage
    shown = await looking
    patience = outage + len(ids) / bound * 4 + 120

    def all_open() -> bool:
        return all(_open(watch.state.get(session), end) for session in before)

    back: float | None = None
    try:
        await until("all are open again", all_open, patience, every=0.1)
        back = max(move.at for session in before if (move := watch.state.get(session))) - end
    except BaseException as failure:
        if isinstance(failure, asyncio.CancelledError | KeyboardInterrupt):
            raise
    times = sorted(world.attempts[calls:])
    meanwhile = bisect_right(times, end) if outage else 0
    at_first = bisect_right(times, min(end, at + FIRST_S))
    moves = [move for move in watch.seen[seen:] if isinstance(move, Moved)]
    went = course(times, moves, end, bound, (slots, await slots_counted(daemon, slots.used + len(times))))
    within = None if shown is None else shown - at
    return Cut(len(ids), bound, outage, meanwhile, at_first, peak(times), len(times), within, back, went)


def _open(move: Moved | None, since: float) -> bool:
    return move is not None and move.state == "open" and move.at >= since


async def _shown(daemon: Daemon, waiting: set[str], began: float) -> float | None:
    """When HTTP had shown the loss of the last of them, which all were open at ``began``; None: never."""
    while waiting and time.time() - began < SHOWN_WITHIN * 6:
        named = f"&ids={','.join(sorted(waiting))}" if len(waiting) <= NAMED else ""
        waiting -= {status["sessionId"] for status in await statuses(daemon, named) if shows_loss(status, began)}
        if waiting:
            await asyncio.sleep(BULK_S)
    return None if waiting else time.time()
