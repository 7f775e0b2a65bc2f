"""What a supervisor remembers of the process that a child owns.  Pure.

It is no actor, and lives and ends with the child.  Its exit is known only if the child lived to tell of it.
"""

from dataclasses import dataclass, replace

from actors.messages.supervision import OwnedProcess
from actors.supervision.state import Exit


@dataclass(frozen=True, slots=True)
class Owned:
    """One child's process, over all its lives."""

    process: OwnedProcess
    restarts: int = 0
    running: bool = True
    last_exit: Exit | None = None


def seen(known: Owned | None, process: OwnedProcess, at: float) -> Owned:
    """The child told of its process with a heartbeat; ``at`` is in seconds since 1970."""
    if known is None:
        known = Owned(process)
    elif known.process.pid != process.pid:
        known = replace(known, process=process, restarts=known.restarts + 1, running=True)
    if process.status is None or not known.running:
        return known
    how, value = ("signal", -process.status) if process.status < 0 else ("code", process.status)
    return replace(known, running=False, last_exit=Exit(how, value, at, process.why))


def owner_ended(known: Owned, exit_: Exit) -> Owned:
    """The child is gone, and with it its process, which the kernel kills unless the child was asked to end it."""
    if not known.running:
        return known  # it ended before its owner, and was told of
    how = exit_.how if exit_.how in {"asked", "sibling"} else "with_owner"
    return replace(known, running=False, last_exit=Exit(how, None, exit_.at))
