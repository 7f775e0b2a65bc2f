"""The supervisor of a shard: one connector host and the sessions that live there."""

import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from thespian.actors import Actor, ActorAddress

from actors.connectors.host.actor import ConnectorHost
from actors.connectors.host.args import HostArgs
from actors.messages.plans import SessionPlan, ShardPlan
from actors.messages.services import ShardReport
from actors.messages.sessions import HostAddress, UsePolicy, UseProxy
from actors.messages.supervision import LogLevel, RestartSession
from actors.recovery.tuning import policy
from actors.session.actor import SessionActor, SessionArgs
from actors.settings import Settings, host_name, shard_name
from actors.supervision import decision
from actors.supervision.configured import Configured
from actors.supervision.proxied import Proxied
from actors.supervision.spec import Intensity, OnIntensity
from actors.supervision.state import Phase

log = logging.getLogger(__name__)

REPORT_PERIOD = 5.0
"""Seconds between a shard's aggregates."""

UNREPORTED = 64
"""Samples kept a session while the health actor is away."""


@dataclass(frozen=True, slots=True)
class ShardArgs:
    """What a shard supervisor is started with."""

    settings: Settings
    shard: int
    connector: str


class Shard(Configured):
    """One connector host and the sessions that are connected through it."""

    def configure(self, args: ShardArgs) -> None:
        self.use(args.settings)
        self._shard = args
        self._plan: ShardPlan | None = None
        self._wanted: dict[str, SessionPlan] = {}
        self._next_report = 0.0
        self._folded: dict[str, deque[Any]] = {}
        self._told: dict[str, ActorAddress | None] = {}
        """Session -> the host that it knows: to be told again costs it a new greeting."""
        self._proxied = Proxied()

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
            return HostArgs(settings, self._shard.shard, self._shard.connector, self._plan.sessions, self._plan.share)
        name = shard_name(self._shard.shard)
        self._told[id] = self.processes.public("host")
        self._proxied.starts(id, self._wanted[id].proxy)
        return SessionArgs(settings, self._wanted[id], name, self._told[id])

    def on_other(self, message: Any, sender: ActorAddress) -> None:
        if isinstance(message, RestartSession):
            self._restart(message.session)
            return
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
            self._told.pop(id, None)
            self._proxied.forget(id)
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
            elif (child := self.processes.public(id)) is not None:
                self._tell_proxy(id, child)
        if (address := self.processes.public("host")) is not None:
            self.send(address, message)

    def _tell_proxy(self, id: str, child: ActorAddress) -> None:
        """One that ends before it hears of it has a successor that is started with it."""
        proxy = self._wanted[id].proxy
        if self._proxied.tells(id, proxy):
            self.send(child, UseProxy(proxy))

    def _restart(self, session: str) -> None:
        """Of one that lives: the others are started anew in any case, and keep their back-off or their parking."""
        child, now = self.state.children.get(session), time.monotonic()
        if session in self._wanted and child is not None and child.phase is Phase.RUNNING:
            log.info("%s is restarted, since recovery asks for it", session)
            self._do(decision.restart(self.state, session, now), now)

    def on_child_up(self, id: str, address: ActorAddress) -> None:
        if id == "host":
            assert self._plan is not None
            self.send(address, self._plan)
            for session in self._wanted:
                if (child := self.processes.address(session)) is not None:
                    self._tell(session, child, address)
            return
        if id in self._wanted:
            self._tell_proxy(id, address)
        if (host := self.processes.public("host")) is not None and host != self._told.get(id):
            self._tell(id, address, host)

    def _tell(self, session: str, child: ActorAddress, host: ActorAddress) -> None:
        self._told[session] = host
        self.send(child, HostAddress(host))

    def on_sample(self, id: str, sample: Any) -> None:
        if id in self._wanted:
            self._folded.setdefault(id, deque(maxlen=UNREPORTED)).append(sample)
            proxy, child = self._wanted[id].proxy, self.processes.public(id)
            if child is not None and self._proxied.missed(id, sample.proxy, proxy):
                self.send(child, UseProxy(proxy))
            wanted = policy(self.settings.recovery)
            if child is not None and sample.policy != wanted.configured:
                self.send(child, UsePolicy(wanted))

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
