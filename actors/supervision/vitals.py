"""What a supervisor can tell of itself and its children: heartbeats, processes that they own, how long it waits."""

import os
import time
from typing import Any

from actors.messages.supervision import Heartbeat, OwnedProcess, ServiceSample, TreeAnswer, TreeQuery
from actors.runtime.memory import MemoryProbe, pss_bytes
from actors.supervision import describe, owned
from actors.supervision.children import Processes
from actors.supervision.owned import Owned
from actors.supervision.state import Exit, State


class Vitals:
    """Kept by the supervisor's actor; ``now`` is monotonic seconds."""

    def __init__(self) -> None:
        self.beats: dict[str, Heartbeat] = {}
        """The last one of each child that lives."""
        self._owned: dict[str, Owned] = {}
        self._waited = 0.0
        self._began = time.monotonic()
        self._memory = MemoryProbe()

    def heard(self, beat: Heartbeat, now: float) -> None:
        """A child's heartbeat; how long it lay there is this supervisor's own mailbox age."""
        self._waited = max(0.0, now - beat.sent)
        self.beats[beat.id] = beat
        if isinstance(beat.sample, ServiceSample):
            self.sees(beat.id, beat.sample.process)

    def sees(self, id: str, process: OwnedProcess | None) -> None:
        """A child told of the process that it owns."""
        if process is not None:
            self._owned[id] = owned.seen(self._owned.get(id), process, time.time())

    def gone(self, id: str, exit_: Exit | None) -> None:
        """A child's process is gone; None: so is the child."""
        self.beats.pop(id, None)
        process = self._owned.pop(id, None)
        if process is not None and exit_ is not None:
            self._owned[id] = owned.owner_ended(process, exit_)

    def beat(self, id: str, incarnation: int, now: float, dropped: int) -> Heartbeat:
        """This supervisor's own heartbeat."""
        return Heartbeat(id, incarnation, None, now, self._waited, dropped, self._memory.look(now))

    def answer(
        self,
        query: TreeQuery,
        id: str,
        state: State,
        processes: Processes,
        now: float,
        restarts: dict[str, int],
        dropped: int,
    ) -> TreeAnswer:
        """Describes the supervisor and its children."""
        itself = describe.node(id, "supervisor", os.getpid(), "running", memory=query.memory)
        itself["uptimeSeconds"] = round(now - self._began, 1)
        itself["mailboxAgeSeconds"] = round(self._waited, 3)
        itself["droppedMessages"] = dropped
        itself["pssBytes"] = pss_bytes() if query.memory else None
        nodes: list[dict[str, Any]] = []
        for child in state.children.values():
            name = child.spec.id
            below = describe.child_node(child, processes.pid(name), self.beats.get(name), now, memory=query.memory)
            if child.spec.kind == "supervisor":
                below["address"] = processes.public(name)
            if (process := self._owned.get(name)) is not None:
                below["children"] = [describe.owned_node(process, self.beats.get(name), now, memory=query.memory)]
            if (node := describe.spare_node(self.beats.get(name), now, memory=query.memory)) is not None:
                below["children"].append(node)
            nodes.append(below)
        return TreeAnswer(query.correlation, id, os.getpid(), tuple(nodes), restarts, itself)
