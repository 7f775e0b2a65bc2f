"""The processes behind a supervisor's children: forking, pids, exit statuses.

The one place that looks behind Thespian's interface: it does not tell the pid or the exit status of a child actor.
"""

import signal
import time
from typing import Any

from thespian.actors import Actor, ActorAddress

from actors.runtime.process import kill_quietly
from actors.supervision.state import Exit


class Processes:
    """What is known of the running process of each child."""

    def __init__(self, owner: Actor) -> None:
        self._owner = owner
        self._by_id: dict[str, tuple[ActorAddress, Any, int]] = {}
        """id -> address, process, incarnation"""
        self._public: dict[str, ActorAddress] = {}

    def fork(self, id: str, incarnation: int, actor_class: type[Actor]) -> ActorAddress:
        """Starts an actor; returns its address.  Raises OSError when the machine refuses another process."""
        address = self._owner.createActor(actor_class)
        started = reversed(self._owner._myRef._child_procs)  # noqa: SLF001 - see above
        process = next((info.childProc for info in started if info.childAddr == address), None)
        if process is None:
            raise ChildProcessError("it ended before it was in the books")
        self._by_id[id] = (address, process, incarnation)
        return address

    def dead(self) -> list[ActorAddress]:
        """Children whose process has ended: Thespian does not tell of one that ends before it has an address."""
        return [address for address, process, _ in self._by_id.values() if process.exitcode is not None]

    def bind(self, id: str, address: ActorAddress) -> None:
        """Keeps the address that a child answered from: the one of ``fork`` can't be sent to others."""
        self._public[id] = address

    def public(self, id: str) -> ActorAddress | None:
        """The address of a child that is up, fit to be sent to others."""
        return self._public.get(id)

    def address(self, id: str) -> ActorAddress | None:
        """Where a running child is reached."""
        entry = self._by_id.get(id)
        return entry[0] if entry else None

    def pid(self, id: str) -> int | None:
        """Its process id."""
        entry = self._by_id.get(id)
        return entry[1].pid if entry else None

    def kill(self, id: str) -> None:
        """SIGKILL: the only thing that ends a hung actor."""
        if (pid := self.pid(id)) is not None:
            kill_quietly(pid, signal.SIGKILL)

    def exited(self, address: ActorAddress) -> tuple[str, int, Exit] | None:
        """Which child that was, which incarnation, and how it ended.

        None if it is known already: Thespian reports some deaths twice.
        """
        for id, (known, process, incarnation) in self._by_id.items():
            if known == address or self._public.get(id) == address:
                process.join(0.5)
                code = process.exitcode
                del self._by_id[id]
                self._public.pop(id, None)
                now = time.time()
                if code is None:
                    return id, incarnation, Exit("unknown", None, now)
                return id, incarnation, Exit("signal", -code, now) if code < 0 else Exit("code", code, now)
        return None
