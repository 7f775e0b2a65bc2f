"""The tree: which supervisors there are, and what each of them supervises.

::

    root ── services ── vault, gateway, health, recovery
         └─ fleet ── shard-0 … shard-n ── host, session …
"""

import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from thespian.actors import Actor, ActorAddress

from actors.connectors.host.actor import ConnectorHost, HostArgs
from actors.gateway.actor import Gateway
from actors.health.actor import HealthActor
from actors.messages import (
    Directory,
    FleetPlan,
    HostAddress,
    LogLevel,
    Retune,
    ServiceUp,
    SessionPlan,
    ShardPlan,
    ShardReport,
)
from actors.recovery.actor import RecoveryActor
from actors.runtime import logs
from actors.session.actor import SessionActor, SessionArgs
from actors.settings import Settings, host_name, shard_name
from actors.supervision import decision
from actors.supervision.actor import Supervisor
from actors.supervision.spec import Backoff, ChildSpec, Intensity, OnIntensity, Policy
from actors.supervision.state import Phase
from actors.vault.actor import VaultActor

log = logging.getLogger(__name__)

LATE_AFTER = 2.0
"""Seconds by which a supervisor's look may be late without meaning that the machine stood still; less with a short
heartbeat timeout, of which a pause that is not forgiven may take a quarter only."""
REPORT_PERIOD = 5.0
"""Seconds between a shard's aggregates."""

UNREPORTED = 64
"""Samples kept a session while the health actor is away."""

SERVICES: dict[str, type[Actor]] = {
    "vault": VaultActor,
    "gateway": Gateway,
    "health": HealthActor,
    "recovery": RecoveryActor,
}
"""In the order of their start."""

TUNED: dict[str, tuple[str, ...]] = {"health": ("health", "events_keep"), "recovery": ("recovery", "events_keep")}
"""What of the tuning a service reads at its start: it is restarted when that changes."""


class _Configured(Supervisor):
    """A supervisor whose policy comes from the configuration."""

    settings: Settings

    def use(self, settings: Settings) -> None:
        """These settings hold from now on, for children that are started as well."""
        self.settings = settings
        logs.set_level(settings.log_level)
        supervision = settings.supervision
        self.policy = Policy(
            intensity=Intensity(supervision.intensity.restarts, supervision.intensity.period),
            backoff=Backoff(supervision.backoff.min, supervision.backoff.max, supervision.backoff.reset_after),
            tick=supervision.tick,
            late_after=min(LATE_AFTER, supervision.heartbeat_timeout / 4),
            park_retry=supervision.park_retry,
        )

    def heartbeat(self) -> float:
        return self.settings.supervision.heartbeat

    def spec(self, id: str, kind: str, **options: Any) -> ChildSpec:
        """A child specification with the configured heartbeat timeout."""
        return ChildSpec(id, kind, heartbeat_timeout=self.settings.supervision.heartbeat_timeout, **options)


class Root(_Configured):
    """The top: keeps the directory, and passes the wanted fleet down."""

    def configure(self, args: Settings) -> None:
        self.use(args)
        self._names: dict[str, ActorAddress] = {"root": self.myAddress}
        self._plan: FleetPlan | None = None
        children = [
            (self.spec("services", "supervisor", stop_timeout=6.0), args),
            (self.spec("fleet", "supervisor", stop_timeout=7.0), args.without_key()),
        ]
        self.state = decision.add(self.state, children, time.monotonic())

    def actor_class(self, id: str) -> type[Actor]:
        return Services if id == "services" else Fleet

    def child_args(self, id: str) -> Settings:
        return self.settings if id == "services" else self.settings.without_key()

    def on_service(self, message: ServiceUp) -> None:
        self._names[message.name] = message.address
        self._spread(Directory(self.directory.version + 1, dict(self._names)))

    def on_restarts(self) -> None:
        """Nobody is above: main reads them with the tree."""

    def on_child_up(self, id: str, address: ActorAddress) -> None:
        if id == "fleet" and self._plan is not None:
            self.send(address, self._plan)

    def on_other(self, message: Any, sender: ActorAddress) -> None:
        if isinstance(message, FleetPlan) and (self._plan is None or message.version > self._plan.version):
            self._plan = message
            if message.tuning != self.settings.tuning:
                self.use(self.settings.tuned(message.tuning))
                if (services := self.processes.address("services")) is not None:
                    self.send(services, Retune(message.tuning))
            if (fleet := self.processes.address("fleet")) is not None:
                self.send(fleet, message)


class Services(_Configured):
    """The actors of which there is one: each serves the whole fleet, and the fleet lives without any of them."""

    def configure(self, args: Settings) -> None:
        self.use(args)
        children = [(self.spec(name, "service", wait_ready=name == "vault"), None) for name in SERVICES]
        self.state = decision.add(self.state, children, time.monotonic())

    def actor_class(self, id: str) -> type[Actor]:
        return SERVICES[id]

    def exported(self, id: str) -> str | None:
        return id

    def child_args(self, id: str) -> Settings:
        return self.settings if id == "vault" else self.settings.without_key()

    def on_other(self, message: Any, sender: ActorAddress) -> None:
        if not isinstance(message, Retune):
            return
        before, now = self.settings.tuning, time.monotonic()
        self.use(self.settings.tuned(message.tuning))
        for id in SERVICES:
            if any(getattr(before, name) != getattr(message.tuning, name) for name in TUNED.get(id, ())):
                log.info("%s is restarted with its new settings", id)
                self._do(decision.restart(self.state, id, now), now)
            elif message.tuning.log_level != before.log_level and (address := self.processes.address(id)) is not None:
                self.send(address, LogLevel(message.tuning.log_level))


@dataclass(frozen=True, slots=True)
class ShardArgs:
    """What a shard supervisor is started with."""

    settings: Settings
    shard: int
    connector: str


class Fleet(_Configured):
    """All shards.  Starts and stops them as the plan says, and tells each its sessions."""

    def configure(self, args: Settings) -> None:
        self.use(args)
        self._plan = FleetPlan(0, {}, args.tuning)

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
        new = [
            (
                self.spec(id, "supervisor", wait_ready=False, stop_timeout=6.0),
                ShardArgs(self.settings, shard, message.shards[shard][0].connector),
            )
            for id, shard in wanted.items()
            if id not in self.state.children or self.state.children[id].removed
        ]
        self.state = decision.add(self.state, new, now)
        for id in wanted:
            if (address := self.processes.public(id)) is not None:
                self._tell(id, address)

    def on_child_up(self, id: str, address: ActorAddress) -> None:
        self._tell(id, address)

    def _tell(self, id: str, address: ActorAddress) -> None:
        args: ShardArgs = self.state.children[id].args
        sessions = self._plan.shards.get(args.shard, ())
        kin = sum(1 for s in self._plan.shards.values() if s and s[0].connector == args.connector)
        self.send(address, ShardPlan(self._plan.version, sessions, max(1, kin), self._plan.tuning))


class Shard(_Configured):
    """One connector host and the sessions that are connected through it."""

    def configure(self, args: ShardArgs) -> None:
        self.use(args.settings)
        self._shard = args
        self._plan: ShardPlan | None = None
        self._wanted: dict[str, SessionPlan] = {}
        self._next_report = 0.0
        self._folded: dict[str, deque[Any]] = {}

    def actor_class(self, id: str) -> type[Actor]:
        return ConnectorHost if id == "host" else SessionActor

    def exported(self, id: str) -> str | None:
        return host_name(self._shard.shard) if id == "host" else None

    def wants_directory(self, id: str) -> bool:
        return id == "host"

    def child_args(self, id: str) -> Any:
        settings = self.settings
        if id == "host":
            assert self._plan is not None
            return HostArgs(settings, self._shard.shard, self._shard.connector, self._plan.sessions, self._plan.shards)
        name = shard_name(self._shard.shard)
        return SessionArgs(settings, self._wanted[id], name, self.processes.public("host"))

    def on_other(self, message: Any, sender: ActorAddress) -> None:
        if not isinstance(message, ShardPlan) or (self._plan and message.version <= self._plan.version):
            return
        now = time.monotonic()
        if message.tuning.log_level != self.settings.log_level:
            for id in self._wanted:
                if (address := self.processes.address(id)) is not None:
                    self.send(address, LogLevel(message.tuning.log_level))
        self.use(self.settings.tuned(message.tuning))
        before, self._plan = self._wanted, message
        self._wanted = {session.id: session for session in message.sessions}
        for id in before.keys() - self._wanted.keys():
            self._do(decision.remove(self.state, id, now), now)
        host = (self.spec("host", "connector-host"), None)
        bound = self.settings.supervision.session_intensity
        sessions = [
            (
                self.spec(
                    id,
                    "session",
                    wait_ready=False,
                    on_intensity=OnIntensity.PARK,
                    intensity=Intensity(bound.restarts, bound.period),
                ),
                None,
            )
            for id in self._wanted
        ]
        self.state = decision.add(self.state, [host, *sessions], now)
        for id, plan in self._wanted.items():
            if id in before and (before[id].profile, before[id].connector) != (plan.profile, plan.connector):
                self._do(decision.restart(self.state, id, now), now)
        if (address := self.processes.public("host")) is not None:
            self.send(address, message)

    def on_child_up(self, id: str, address: ActorAddress) -> None:
        if id == "host":
            assert self._plan is not None
            self.send(address, self._plan)
            for session in self._wanted:
                if (child := self.processes.address(session)) is not None:
                    self.send(child, HostAddress(address))
        elif (host := self.processes.public("host")) is not None:
            self.send(address, HostAddress(host))

    def on_sample(self, id: str, sample: Any) -> None:
        if id in self._wanted:
            self._folded.setdefault(id, deque(maxlen=UNREPORTED)).append(sample)

    def on_tick(self, now: float) -> None:
        health = self.directory.addresses.get("health")
        if now < self._next_report or health is None:
            return
        self._next_report = now + REPORT_PERIOD
        samples = {id: tuple(folded) for id, folded in self._folded.items() if id in self._wanted}
        self._folded = {}
        parked = tuple(id for id in self._wanted if self._phase(id) is Phase.PARKED)
        if samples or parked:
            self.send(health, ShardReport(self._shard.shard, samples, parked))

    def _phase(self, id: str) -> Phase | None:
        child = self.state.children.get(id)
        return child.phase if child else None
