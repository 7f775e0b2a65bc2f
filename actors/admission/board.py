"""The board: what the hosts of one connector know of each other, and how one of them takes the fleet's next slot.

Pure; times are seconds of CLOCK_MONOTONIC, which all processes of a machine share, unless they say something else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from actors.admission import ways
from actors.admission.outage import Outage
from actors.admission.slots import AHEAD, Schedule
from actors.admission.ways import Held, Way

FRESH = 1.5
"""Seconds for which a host's row says that somebody waits there; a host that waits looks more often."""
ALIVE = 45.0
"""Seconds for which a host's row says that there is a host; each host looks more often."""
LOOK = 0.5
"""Seconds after which a host that waits looks again, at the latest."""
IDLE_LOOK = 15.0
"""Seconds after which a host looks where nobody waits: it is alive."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one host says of itself."""

    seen_at: float = float("-inf")
    """When it last said anything."""
    members: int = 0
    """Sessions of its shard that should run."""
    waiting: int = 0
    """Of them, how many wait for a slot that they could use."""
    urgency: int = 0
    """Of the most urgent of these."""
    failing: int = 0
    """Different sessions whose attempts failed for what may be a shared cause, since ``epoch`` began."""
    epoch: int = 0

    def fresh(self, now: float, seconds: float) -> bool:
        """Whether it is no older than that."""
        return abs(now - self.seen_at) <= seconds


@dataclass(frozen=True, slots=True)
class Board:
    """All of it."""

    schedule: Schedule = field(default_factory=Schedule)
    """Of the slots."""
    epoch: int = 0
    """How often somebody got through: what failed before that is forgotten."""
    outage: Outage = field(default_factory=Outage)
    rows: Mapping[int, Row] = field(default_factory=dict)
    """By shard."""
    held: Held = field(default_factory=dict)
    """Ways out that have their next slot later."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a host wants."""

    shard: int
    members: int
    waiting: int = 0
    urgency: int = 0
    unused: float | None = None
    """A slot that it took, let go by, and gives back."""
    unprobed: int | None = None
    """If that slot was a probe, its number."""
    unused_way: Way | None = None
    """Through what that slot was to be used."""
    way: Way | None = None
    """Through what the connection is to go that it wants a slot for; None: straight from this machine."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One connection may begin at ``at``, or a little later."""

    at: float
    probe: int | None = None
    """In an outage it is tried for all: the how manieth probe it is."""
    way: Way | None = None
    """What it may be used through."""


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: look again at ``at``, or when something changed."""

    at: float


def take(board: Board, ask: Ask, now: float, rate: float) -> tuple[Board, Slot | Later]:
    """A slot for the host that asks, or when it should ask again; its row is brought up to date in any case."""
    schedule = board.schedule
    if ask.waiting and not any(other.waiting and other.fresh(now, FRESH) for other in board.rows.values()):
        schedule = schedule.rested(now)  # since the last look there was nobody to make up for
    if ask.unused is not None:
        schedule = schedule.given_back(ask.unused, rate)
    row = board.rows.get(ask.shard, Row())
    row = replace(row, seen_at=now, members=ask.members, waiting=ask.waiting, urgency=ask.urgency)
    board = replace(board, schedule=schedule, rows={**board.rows, ask.shard: row})
    if ask.unused is not None and ask.unused_way is not None:
        board = replace(board, held=ways.give_back(board.held, ask.unused_way, ask.unused))
    if ask.unprobed is not None:
        board = replace(board, outage=board.outage.unprobed(ask.unprobed, now))
    if not ask.waiting:
        return board, Later(now + IDLE_LOOK)
    if ask.way is not None:
        board = replace(board, held=ways.bounded(board.held, ask.way, now))
    if ask.way is not None and not ways.is_free(board.held, ask.way, now):
        return board, Later(min(ways.free_at(board.held, ask.way, now) - AHEAD, now + LOOK))
    if board.outage.holds(detoured=ask.way is not None):
        return _probe(board, ask.way, now, rate)
    if any(
        other.waiting and other.urgency > ask.urgency and other.fresh(now, FRESH)
        for shard, other in board.rows.items()
        if shard != ask.shard
    ):
        return board, Later(now + AHEAD / 2)
    earliest = board.schedule.earliest(now, rate)
    if earliest - now > AHEAD:
        return board, Later(min(earliest - AHEAD, now + LOOK))
    board, begins = _give(board, ask.way, earliest, now, rate)
    return board, Slot(begins, way=ask.way)


def _give(board: Board, way: Way | None, earliest: float, now: float, rate: float) -> tuple[Board, float]:
    """The next slot, which is there: later than the earliest moment for it, if its way is free later."""
    begins = earliest if way is None else max(earliest, ways.free_at(board.held, way, now))
    held = board.held if way is None else ways.take(board.held, way, begins, now)
    return replace(board, schedule=board.schedule.taken(begins, now, rate), held=held), begins


def _probe(board: Board, way: Way | None, now: float, rate: float) -> tuple[Board, Slot | Later]:
    due, earliest = board.outage.due(now), board.schedule.earliest(now, rate)
    if due > now or earliest - now > AHEAD:
        return board, Later(min(max(due, now + AHEAD / 2), now + LOOK))
    board, begins = _give(board, way, earliest, now, rate)
    outage = board.outage.probed(now)
    return replace(board, outage=outage), Slot(begins, probe=outage.probes, way=way)


def reached(board: Board, known: Iterable[tuple[float, float]], now: float) -> Board:
    """Of these slots the connections had reached the server by those moments."""
    schedule = board.schedule
    for begins, at in known:
        schedule = schedule.reached(begins, min(at, now))
    return replace(board, schedule=schedule)


def failed(board: Board, shard: int, failing: int, cause: str, now: float, wall: float) -> Board:
    """An attempt of that shard failed for a cause that others may share.

    ``failing``: how many of its sessions have, since ``board.epoch`` began.  While there is more than one host,
    sessions of at least two have to fail: what one host has alone is its own trouble.
    """
    row = replace(board.rows.get(shard, Row()), seen_at=now, failing=failing, epoch=board.epoch)
    board = replace(board, rows={**board.rows, shard: row})
    alive = [other for other in board.rows.values() if other.members and other.fresh(now, ALIVE)]
    counts = [other.failing for other in alive if other.epoch == board.epoch and other.failing]
    if not board.outage.on and len(alive) > 1 and len(counts) < 2:  # noqa: PLR2004 - as it says above
        return board
    members = sum(other.members for other in alive)
    return replace(board, outage=board.outage.failed(cause, sum(counts), members, now, wall))


def passed(board: Board, now: float) -> Board:
    """Somebody got through: to a login, a QR, or a refusal that concerns that account alone."""
    if not board.outage.on and not any(row.failing and row.epoch == board.epoch for row in board.rows.values()):
        return board
    schedule = board.schedule.rested(now) if board.outage.on else board.schedule  # they waited for it, not for slots
    return replace(board, schedule=schedule, epoch=board.epoch + 1, outage=board.outage.passed(now))


def waiting_elsewhere(board: Board, shard: int, now: float) -> int:
    """How many sessions of other hosts wait for a slot."""
    others = (row for number, row in board.rows.items() if number != shard and row.fresh(now, FRESH))
    return sum(row.waiting for row in others)


def left(board: Board, shard: int) -> Board:
    """The host ends."""
    return replace(board, rows={number: row for number, row in board.rows.items() if number != shard})
