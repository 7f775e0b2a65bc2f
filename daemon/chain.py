"""The processes above the supervision tree: main, keeper, launcher, and Thespian's admin and logger.

No supervisor watches them; what is known of them comes from the keeper's news and from /proc.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.runtime.memory import pss_bytes
from actors.supervision import describe
from actors.supervision.state import Exit

LOST = "lost"
"""How an actor system ended that the keeper started afresh."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class _Seat:
    """One place in the chain, over all the processes that had it."""

    pid: int | None = None
    restarts: int = 0
    last_exit: Exit | None = None

    def taken(self, pid: int | None, how: str, at: float) -> None:
        """The process that has it now."""
        if pid is not None and self.pid is not None and pid != self.pid:
            self.restarts += 1
            self.last_exit = Exit(how, None, at)
        self.pid = self.pid if pid is None else pid


class Chain:
    """What main knows of the processes from itself down to the root supervisor."""

    def __init__(self, keeper: int) -> None:
        self._keeper = keeper
        self._seats = {kind: _Seat() for kind in ("launcher", "admin", "logger", "root")}
        self._lost_at = 0.0
        self._logger_of: int | None = None
        """The admin that had the logger of the last look."""

    def up(self, launcher: int, admin: int, root: int) -> None:
        """The keeper says that an actor system runs."""
        for kind, pid in {"launcher": launcher, "admin": admin, "root": root}.items():
            self._seats[kind].taken(pid, LOST, self._lost_at)

    def lost(self) -> None:
        """The keeper says that an actor system is gone."""
        self._lost_at = time.time()

    def above(self, *, memory: bool) -> list[dict[str, Any]]:
        """Nodes from main down to the logger; reads /proc."""
        self._find_logger()
        pids = {"main": os.getpid(), "keeper": self._keeper}
        pids |= {kind: seat.pid for kind, seat in self._seats.items() if seat.pid is not None and kind != "root"}
        nodes = []
        for kind in ("main", "keeper", "launcher", "admin", "logger"):
            age = uptime(pids[kind]) if kind in pids else None
            pid = pids[kind] if age is not None else None
            node = describe.node(kind, kind, pid, "running" if pid is not None else "stopped", memory=memory)
            node["uptimeSeconds"] = age
            node["pssBytes"] = pss_bytes(pid) if memory and pid is not None else None
            if kind in self._seats:
                self._tell(node, kind)
            nodes.append(node)
        return nodes

    def _find_logger(self) -> None:
        """Thespian starts another by itself, and tells nobody."""
        admin = self._seats["admin"].pid
        logger = _child_named(admin, "wv:logger")
        if logger is not None:
            alone = admin == self._logger_of
            self._seats["logger"].taken(logger, "unknown" if alone else LOST, time.time() if alone else self._lost_at)
            self._logger_of = admin

    def tell_root(self, node: dict[str, Any]) -> None:
        """Adds to the root's node what the root itself can't know: its earlier lives."""
        self._tell(node, "root")

    def _tell(self, node: dict[str, Any], kind: str) -> None:
        node["restarts"] = self._seats[kind].restarts
        node["lastExit"] = describe.exit_(self._seats[kind].last_exit)


def uptime(pid: int) -> float | None:
    """Seconds since the process began, from /proc; None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] == "Z":
        return None
    return round(max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / _TICKS), 1)


def _child_named(parent: int | None, name: str) -> int | None:
    """A child of a process by the name that ps shows."""
    if parent is None:
        return None
    try:
        pids = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split()]
        return next((pid for pid in pids if Path(f"/proc/{pid}/comm").read_text("utf-8").strip() == name), None)
    except OSError:
        return None
