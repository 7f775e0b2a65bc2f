"""The fleet as the actors need it: what each session is started with, by shard."""

from collections.abc import Collection, Mapping
from typing import Any

from actors.admission.importance import importance
from actors.messages.plans import FleetPlan, SessionPlan
from actors.settings import Settings
from config.loader import Loaded
from config.profiles import simulator_profile
from daemon.backend import SessionRecord
from daemon.proxies import proxies_of, proxy_plan


def fleet_plan(
    version: int,
    loaded: Loaded,
    settings: Settings,
    placed: Collection[tuple[SessionRecord, int]],
    paused: Mapping[str, float],
) -> FleetPlan:
    """The plan of that version, which grows with each change.

    ``placed`` are the sessions with their shards, ``paused`` says until when recovery of a session is paused.
    """
    shards: dict[int, list[SessionPlan]] = {}
    profiles = {spec.id: spec.simulator for spec in loaded.config.sessions}
    proxies = proxies_of(loaded)
    named = {name: proxy_plan(proxies, name) for name in {record.proxy for record, _ in placed}}
    for record, shard in placed:
        id = record.id
        profile: dict[str, Any] | None = None
        if record.connector == "simulator":
            profile = simulator_profile(settings.connectors.simulator, id, profiles.get(id))
        weight = importance(record.labels, settings.recovery.importance)
        plans = shards.setdefault(shard, [])
        plans.append(
            SessionPlan(id, record.connector, record.enabled, profile, paused.get(id), weight, named[record.proxy])
        )
    return FleetPlan(version, {shard: tuple(plans) for shard, plans in sorted(shards.items())}, settings.tuning)
