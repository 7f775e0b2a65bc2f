"""What all sessions of one simulator process have in common."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from actors.connectors.fields import Fields
from actors.connectors.link_events import LinkEvent
from actors.connectors.link_frames import to_frame
from actors.connectors.protocol import Admission
from actors.connectors.simulator.admission import Gate
from actors.connectors.simulator.kept import KeptEvents
from actors.connectors.vaultlink import VaultLink
from actors.runtime.rpc import Link

if TYPE_CHECKING:
    from actors.connectors.simulator.session import Session

REMEMBERED = 128
"""Sessions with neither a link nor a connection that the world goes on for."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the start line that the simulator knows; times are seconds."""

    seed: int = 1
    heartbeat: float = 10.0
    heartbeat_timeout: float = 8.0
    open_deadline: float = 45.0
    ack_timeout: float = 60.0

    @classmethod
    def read(cls, wire: Fields) -> "Options":
        """Reads ``options``; what other connectors know is ignored.  Raises BadField."""
        default = cls()

        def seconds(name: str, fallback: float) -> float:
            return wire.number(name, fallback * 1000, least=1) / 1000

        return cls(
            wire.integer("seed", default.seed),
            seconds("heartbeatMs", default.heartbeat),
            seconds("heartbeatTimeoutMs", default.heartbeat_timeout),
            seconds("openDeadlineMs", default.open_deadline),
            seconds("ackTimeoutMs", default.ack_timeout),
        )


class Shared:
    """One process's options, vault, admission, host and sessions.  ``wall`` gives seconds since 1970."""

    def __init__(self, options: Options, vault: VaultLink, bounds: Admission, wall: Callable[[], float]) -> None:
        self.loop = asyncio.get_running_loop()
        self.options = options
        self.vault = vault
        self.gate = Gate(bounds, self.loop)
        self.host: Link | None = None
        self.drills: set[Link] = set()
        self.kept = KeptEvents()
        self.sessions: dict[str, Session] = {}
        self.counts: Counter[str] = Counter()
        self._phones: dict[str, dict[str, Session]] = {}
        self._wall = wall

    def session(self, id: str) -> "Session | None":
        """The session of that id; of those that are gone it is from now on the last to be forgotten."""
        session = self.sessions.pop(id, None)
        if session is not None:
            self.sessions[id] = session
        return session

    def remember(self, session: "Session") -> "Session":
        """Lists a session that is new here.  Of those that are gone the oldest is forgotten, if there are too many.

        Nobody says when a session is deleted, or moves away.  One whose last end nobody saw is forgotten last.
        """
        gone = [each for each in self.sessions.values() if each.gone]
        if len(gone) >= REMEMBERED:
            least = next((each for each in gone if not each.unheard), gone[0])
            del self.sessions[least.id]
            least.forget()
        self.sessions[session.id] = session
        return session

    def change(self, options: Options) -> None:
        """Other options from now on; what the seed decided stays."""
        self.options = replace(options, seed=self.options.seed)

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self._wall() * 1000)

    def tell_host(self, event: LinkEvent) -> None:
        """Pushes an event to the host, if its link is there."""
        if self.host is not None:
            self.host.send(to_frame(event))

    def tell_drills(self, session: str) -> None:
        """A session's connection attempt has reached the simulated server."""
        for link in self.drills:
            link.event("attempt", session=session, at=self.now_ms())

    def list_phone(self, phone: str, session: "Session") -> None:
        """From now on messages to ``phone`` go to this session too."""
        self.unlist_phone(session)
        session.phone = phone
        self._phones.setdefault(phone, {})[session.id] = session

    def unlist_phone(self, session: "Session") -> None:
        """The session has no phone any more."""
        owners = self._phones.get(session.phone)
        if owners is not None and owners.pop(session.id, None) is not None and not owners:
            del self._phones[session.phone]

    def owners_of(self, phone: str) -> tuple["Session", ...]:
        """The sessions of this process whose phone this is."""
        return tuple(self._phones.get(phone, {}).values())
