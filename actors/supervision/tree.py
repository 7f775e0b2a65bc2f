"""The tree: which supervisors there are, and what each of them supervises.

::

    root ── services ── vault, gateway, health, recovery
         └─ fleet ── shard-0 … shard-n ── host, session …
"""

import logging
import time
from typing import Any

from thespian.actors import Actor, ActorAddress

from actors.gateway.actor import Gateway
from actors.health.actor import HealthActor
from actors.messages.plans import FleetPlan, Retune
from actors.messages.supervision import Directory, LogLevel, ServiceUp
from actors.recovery.actor import RecoveryActor
from actors.settings import Settings
from actors.supervision import decision
from actors.supervision.configured import Configured
from actors.supervision.fleet import Fleet
from actors.vault.actor import VaultActor

log = logging.getLogger(__name__)

SERVICES: dict[str, type[Actor]] = {
    "vault": VaultActor,
    "gateway": Gateway,
    "health": HealthActor,
    "recovery": RecoveryActor,
}
"""In the order of their start."""

TUNED: dict[str, tuple[str, ...]] = {"health": ("health", "events_keep"), "recovery": ("recovery", "events_keep")}
"""What of the tuning a service reads at its start: it is restarted when that changes."""


class Root(Configured):
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


class Services(Configured):
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
