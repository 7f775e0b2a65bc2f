"""The supervisor of all shards."""

import time
from collections.abc import Sequence
from typing import Any

from thespian.actors import Actor, ActorAddress

from actors.messages.plans import FleetPlan, ShardPlan
from actors.messages.supervision import ServiceUp
from actors.settings import Settings, shard_name
from actors.supervision import clock, decision
from actors.supervision.configured import Configured
from actors.supervision.shard import Shard, ShardArgs
from actors.supervision.startqueue import StartQueue


def share(sessions: int, kin: Sequence[int]) -> float:
    """The part (0-1) of the fleet's bound on connects that a shard has; ``kin`` are the sessions of all its like.

    Half of the bound goes by sessions, so that full shards are ready together; half is equal, so that a shard with a
    single session, which pairs, does not wait for minutes.
    """
    return (sessions / sum(kin) + 1 / len(kin)) / 2 if sessions else 0.0


class Fleet(Configured):
    """All shards.  Starts and stops them as the plan says, and tells each its sessions."""

    def configure(self, args: Settings) -> None:
        self.use(args)
        self._plan = FleetPlan(0, {}, args.tuning)
        self._queue = StartQueue()

    def actor_class(self, id: str) -> type[Actor]:
        return Shard

    def on_other(self, message: Any, sender: ActorAddress) -> None:
        if not isinstance(message, FleetPlan) or message.version <= self._plan.version:
            return
        now = time.monotonic()
        self._plan = message
        self.use(self.settings.tuned(message.tuning))
        wanted = {shard_name(shard): shard for shard, sessions in message.shards.items() if sessions}
        for id in [id for id in self.state.children if id not in wanted]:
            if (address := self.processes.public(id)) is not None:
                self._tell(id, address)  # its host tells of those that leave
            self._do(decision.remove(self.state, id, now), now)
        new = [id for id in wanted if id not in self.state.children or self.state.children[id].removed]
        self._queue = self._queue.wanted(new)
        self._admit(now)
        for id in wanted:
            if (address := self.processes.public(id)) is not None:
                self._tell(id, address)

    def _admit(self, now: float) -> None:
        """Shards whose turn it is."""
        self._queue, ids = self._queue.admit(now)
        shards = {shard_name(shard): (shard, sessions) for shard, sessions in self._plan.shards.items() if sessions}
        new = [
            (
                self.spec(id, "supervisor", wait_ready=False, stop_timeout=6.0),
                ShardArgs(self.settings, shards[id][0], shards[id][1][0].connector),
            )
            for id in ids
            if id in shards
        ]
        self.state = decision.add(self.state, new, now)
        if new:
            self._do(clock.tick(self.state, now, self.policy), now)

    def on_service(self, message: ServiceUp) -> None:
        super().on_service(message)
        self._queue = self._queue.up(message.name.partition("/")[0])
        self._admit(time.monotonic())

    def on_tick(self, now: float) -> None:
        self._admit(now)

    def on_child_up(self, id: str, address: ActorAddress) -> None:
        self._tell(id, address)

    def _tell(self, id: str, address: ActorAddress) -> None:
        args: ShardArgs = self.state.children[id].args
        sessions = self._plan.shards.get(args.shard, ())
        kin = [len(s) for s in self._plan.shards.values() if s and s[0].connector == args.connector]
        self.send(address, ShardPlan(self._plan.version, sessions, share(len(sessions), kin), self._plan.tuning))
