"""Is a spare connector process to be started, kept or thrown away?  The decision: pure.

A spare waits, loaded, for the start line that makes it the connector process of its host.  It costs memory all the
time and some processor time at its start, so it is started only when there is nothing better to do.
"""

from dataclasses import dataclass
from enum import StrEnum

from actors.supervision.decision import add_restart
from actors.supervision.spec import Intensity

PAUSE = 60.0
"""Seconds until a spare is started again after the first one that ended by itself; doubled each time."""
PAUSE_MAX = 3600.0
PROVEN = 600.0
"""Seconds that a spare has to live for the failures before it to be forgotten."""
SPREAD = 0.5
"""Of the quiet time, by how much the hosts differ, so that their spares don't start at one moment."""


class Act(StrEnum):
    """What is done about the spare of a host."""

    NOTHING = "nothing"
    START = "start"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a host at one moment; times are seconds of one clock."""

    after: float | None
    """How long it has to be quiet before a spare is started; None: there is to be none."""
    quiet_since: float | None
    """Since when no connection is being made here; None while one is, or there is no connector process."""
    spare: bool
    """Whether there is one."""
    stale: bool = False
    """Whether the program, or its command line or environment, is another one since the spare was started."""
    failures: int = 0
    """Spares in a row that ended by themselves, or could not be started."""
    failed_at: float = 0.0
    """When the last of these did."""


def decide(view: View, now: float) -> Act:
    """What is to be done now."""
    if view.spare:
        return Act.DISCARD if view.after is None or view.stale else Act.NOTHING
    return Act.START if due_in(view, now) == 0.0 else Act.NOTHING


def due_in(view: View, now: float) -> float | None:
    """Seconds until a spare is to be started, if nothing happens until then; None if none is."""
    if view.spare or view.after is None or view.quiet_since is None:
        return None
    due = max(view.quiet_since + view.after, view.failed_at + pause(view.failures))
    return max(0.0, due - now)


def pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return min(PAUSE_MAX, PAUSE * 2.0 ** min(failures - 1, 32)) if failures > 0 else 0.0


def failures_after(failures: int, lived: float) -> int:
    """How many failures in a row there are when a spare ends by itself that lived for so many seconds."""
    return 1 if lived >= PROVEN else failures + 1


def may_succeed(
    *,
    spare: bool,
    ended: bool,
    moving: bool,
    stopping: bool,
    taken: tuple[float, ...],
    now: float,
    intensity: Intensity,
) -> bool:
    """Whether a spare may take the place of the present process.

    That must have ended for certain, or one session could have two connections; and none of its sessions may be on
    their way to a third process.  ``taken`` is when spares took over before: beyond the restart intensity the host has
    to end, so that its supervisor counts and slows down what dies again and again.
    """
    return spare and ended and not moving and not stopping and not add_restart(taken, now, intensity)[1]
