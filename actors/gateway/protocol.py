"""What main and the gateway say to each other, as frames (``actors.runtime.frames``).

Requests of main: ``plan`` (the whole wanted fleet), ``command`` (an operator's request to one session), ``sends``
(the table of
sends grew), ``tree`` (the supervision tree).  Events to main: ``hint`` (an outbox grew), ``health`` (changed views).
"""

from typing import Any

from actors.messages import FleetPlan, SessionPlan
from actors.settings import Tuning

COMMAND_DEADLINE = 15.0
"""Seconds that a session may take to answer a command."""
TREE_DEADLINE = 1.0
"""Seconds that supervisors may take to describe themselves; who does not answer is shown as unresponsive."""


def plan_to_wire(plan: FleetPlan) -> dict[str, Any]:
    """A fleet plan as plain data."""
    return {
        "version": plan.version,
        "shards": {
            str(shard): [
                {
                    "id": session.id,
                    "connector": session.connector,
                    "enabled": session.enabled,
                    "profile": dict(session.profile) if session.profile is not None else None,
                    "pausedUntil": session.paused_until,
                    "importance": session.importance,
                }
                for session in sessions
            ]
            for shard, sessions in plan.shards.items()
        },
        "tuning": plan.tuning.to_wire(),
    }


def plan_from_wire(wire: dict[str, Any]) -> FleetPlan:
    """The inverse.  Raises KeyError, TypeError or ValueError for something else."""
    return FleetPlan(
        version=wire["version"],
        shards={
            int(shard): tuple(
                SessionPlan(s["id"], s["connector"], s["enabled"], s["profile"], s["pausedUntil"], s["importance"])
                for s in sessions
            )
            for shard, sessions in wire["shards"].items()
        },
        tuning=Tuning.read(wire["tuning"]),
    )
