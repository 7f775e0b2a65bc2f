"""What main and the gateway say to each other, as frames (``actors.runtime.frames``).

Requests of main: ``plan`` (the whole wanted fleet), ``command`` (an operator's request to one session), ``sends``
(the table of
sends grew), ``tree`` (the supervision tree).  Events to main: ``hint`` (an outbox grew), ``health`` (changed views).
"""

from typing import Any

from actors.messages.plans import FleetPlan, ProxyPlan, SessionPlan
from actors.settings import Tuning
from config.secrets import Secret

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
                    "proxy": None if session.proxy is None else _proxy_to_wire(session.proxy),
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
                SessionPlan(
                    s["id"],
                    s["connector"],
                    s["enabled"],
                    s["profile"],
                    s["pausedUntil"],
                    s["importance"],
                    None if s["proxy"] is None else _proxy_from_wire(s["proxy"]),
                )
                for s in sessions
            )
            for shard, sessions in wire["shards"].items()
        },
        tuning=Tuning.read(wire["tuning"]),
    )


def _proxy_to_wire(proxy: ProxyPlan) -> dict[str, Any]:
    url = None if proxy.url is None else proxy.url.reveal()
    return {"name": proxy.name, "url": url, "mark": proxy.mark, "connectsPerSecond": proxy.connects_per_second}


def _proxy_from_wire(wire: dict[str, Any]) -> ProxyPlan:
    url = None if wire["url"] is None else Secret(wire["url"])
    return ProxyPlan(wire["name"], url, wire["mark"], wire["connectsPerSecond"])
