"""One connection of a simulated session, from ``open`` to its one ``closed``."""

import asyncio
import math
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from actors.connectors.link_events import Connecting, Heard, HeartbeatMissed, LinkEvent, Opened, Queued, Reached, Rtt
from actors.connectors.protocol import ErrorCode, Phase, Reason, State
from actors.connectors.proxytarget import ProxyTarget
from actors.connectors.simulator.admission import Ticket
from actors.connectors.simulator.credentials import BadCredentials, Credentials
from actors.connectors.simulator.delivery import Delivery
from actors.connectors.simulator.faults import Close, Mode
from actors.connectors.simulator.pairing import Pairing
from actors.connectors.simulator.sends import Sends
from actors.connectors.simulator.shared import Shared
from actors.connectors.simulator.world import chance
from actors.runtime.rpc import RemoteError

if TYPE_CHECKING:
    from actors.connectors.simulator.session import Session

VERSION = "1"
"""Version of the simulated client, as `open` tells it."""
_LOGIN_ANSWERS = 3
"""Answers that a login waits for: upgrade, handshake, success."""
NO_PROXY = Close(
    0, Reason.PROXY, "the proxy could not be reached: ENOTFOUND", {"proxy": "unreachable", "errno": "ENOTFOUND"}
)
_VAULT_REASONS: dict[str, Reason] = {
    ErrorCode.FENCED: Reason.FENCED,
    ErrorCode.VAULT_UNAVAILABLE: Reason.VAULT_UNAVAILABLE,
    ErrorCode.LIMIT: Reason.AUTH_TOO_LARGE,
}


def is_nowhere(proxy: ProxyTarget) -> bool:
    """Whether nobody can reach it, in this world as in any: its host is below ``.invalid`` (RFC 2606)."""
    return (urlsplit(proxy.url).hostname or "").endswith(".invalid")


class Connection:
    """Logs in or pairs when it is admitted; ends exactly once, whatever ends it."""

    __slots__ = (
        *("_delivery", "_loop", "_me", "_opened_at", "_session", "_shared", "_tasks", "_ticket"),
        *("_proxy", "_timer", "ended", "pairing", "phase", "sends"),
    )

    def __init__(self, session: "Session", shared: Shared, proxy: ProxyTarget | None = None) -> None:
        self.phase = Phase.QUEUED
        self.ended = False
        self.pairing: Pairing | None = None
        self._session = session
        self._proxy = proxy
        self._shared = shared
        self._loop = shared.loop
        self._me: str | None = None
        self._opened_at: int | None = None
        self._ticket = Ticket(not session.paired, self._admitted)
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._delivery = Delivery(session, self, shared)
        self.sends = Sends(session, self, shared)

    @property
    def state(self) -> State:
        """The state of the protocol."""
        qr, expires_at = (None, None) if self.pairing is None else self.pairing.current
        proxy = None if self._proxy is None else self._proxy.id
        session = self._session
        return State(self.phase, session.paired, self._me, self._opened_at, qr, expires_at, proxy, session.rated)

    def enter(self) -> None:
        """Asks for admission."""
        if self.ended:
            return
        position = self._shared.gate.enter(self._ticket)
        if position:
            self._session.phase_changed(pairing=self._ticket.pairing)
            self.tell(Queued(**self.stamp, position=position))

    def admit(self, by: float) -> None:
        """The host lets it in until ``by``, on the clock of the loop.  Raises RemoteError ``late``, ``not_queued``."""
        if self._loop.time() > by:
            raise RemoteError(ErrorCode.LATE, "the moment at which it might have begun is over")
        if not self._shared.gate.admit(self._ticket):
            raise RemoteError(ErrorCode.NOT_QUEUED, f"the connection is {self.phase}")

    @property
    def stamp(self) -> dict[str, Any]:
        """The fields that every event has."""
        return {"session": self._session.id, "at": self._shared.now_ms()}

    def tell(self, event: LinkEvent) -> None:
        """Pushes an event to the session's link."""
        self._session.tell(event)

    def _admitted(self) -> None:
        self._shared.tell_drills(self._session.id)
        self._enter_phase(Phase.CONNECTING)
        self._shared.tell_host(Reached(**self.stamp, clock=math.ceil(self._loop.time() * 1000)))
        self.tell(Connecting(**self.stamp))
        self._timer = self._loop.call_later(self._shared.options.open_deadline, self._too_late)
        self.start(self._connect())

    def _enter_phase(self, phase: Phase) -> None:
        self.phase = phase
        self._session.phase_changed()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a piece of work that ends with the connection, and ends it when the vault fails."""
        task = self._loop.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except RemoteError as error:
            self.vault_failed(error)

    def vault_failed(self, error: RemoteError) -> None:
        """Ends the connection because its auth state can't be used."""
        reason = _VAULT_REASONS.get(error.code, Reason.ERROR)
        self.end(Close(0, reason, error.message, {"vault": error.code}))

    # From connecting to open

    async def _connect(self) -> None:
        session, options = self._session, self._shared.options
        started = self._loop.time()
        try:
            credentials = Credentials.read(await session.vault.load())
        except BadCredentials:
            self.end(Close(500, Reason.ERROR, "the stored credentials can't be read"))
            return
        if credentials is None and session.paired_by_profile:
            credentials = await self._register()
        if self._proxy is not None and is_nowhere(self._proxy):
            self.end(NO_PROXY)
            return
        for _ in range(_LOGIN_ANSWERS):
            await asyncio.sleep(session.answer_time())
        if session.suffers(Mode.STALL):
            return  # no answer ever: the deadline ends it
        if (refused := session.life.answer_login(self._loop.time(), pairing=credentials is None)) is not None:
            self.end(refused)
        elif credentials is None:
            self._pair()
        elif not credentials.accepted(options.seed, session.id):
            self.end(Close(401, Reason.LOGIN_FAILURE, "Connection Failure"))
        else:
            await session.vault.commit(credentials.used().to_entries())
            self._open(credentials, started)

    async def _register(self) -> Credentials:
        """Credentials for a session whose profile says that it was paired before."""
        session = self._session
        credentials = Credentials.made(self._shared.options.seed, session.id, session.phone, session.device + 1)
        await session.vault.commit(credentials.to_first_entries(), paired=True)
        return credentials

    def _too_late(self) -> None:
        self.end(Close(408, Reason.OPEN_DEADLINE, "no login within the deadline"))

    def _pair(self) -> None:
        self._stop_timer()
        self.pairing = Pairing(self._session, self, self._shared)
        self._enter_phase(Phase.PAIRING)
        self._shared.gate.leave(self._ticket)  # a QR that waits for its phone costs nothing
        self.pairing.show()

    def _open(self, credentials: Credentials, started: float) -> None:
        session = self._session
        self._stop_timer()
        session.life = session.life.reconnected()
        session.device = credentials.device
        self._shared.list_phone(credentials.phone, session)
        self._me = credentials.me
        self._opened_at = self._shared.now_ms()
        self._shared.counts["logins"] += 1
        self._enter_phase(Phase.OPEN)
        login_ms = (self._loop.time() - started) * 1000
        self.tell(Opened(**self.stamp, me=self._me, version=VERSION, login_ms=login_ms))
        self.tell(Heard(**self.stamp))  # the server's word that what it kept is delivered
        if session.suffers(Mode.TIMELOCK):
            session.tell_timelock()
        session.tell_quality(anew=True)
        spread = chance(self._shared.options.seed, session.id, "heartbeat", 0)
        self._timer = self._loop.call_later(self._shared.options.heartbeat * spread, self._beat)
        self.hear()

    # Heartbeats: one timer, be it for the next one or for the answer

    def _beat(self) -> None:
        rtt = self._session.answer_time()
        if self._session.suffers(Mode.HALF_OPEN) or rtt > self._shared.options.heartbeat_timeout:
            self._timer = self._loop.call_later(self._shared.options.heartbeat_timeout, self._missed)
        else:
            self._timer = self._loop.call_later(rtt, self._beaten, rtt)

    def _beaten(self, rtt: float) -> None:
        options = self._shared.options
        if self._session.suffers(Mode.HALF_OPEN):
            self._timer = self._loop.call_later(options.heartbeat_timeout - rtt, self._missed)
            return
        self.tell(Rtt(**self.stamp, ms=rtt * 1000))
        self._session.tell_quality()
        self._timer = self._loop.call_later(max(0.0, options.heartbeat - rtt), self._beat)

    def _missed(self) -> None:
        self.tell(HeartbeatMissed(**self.stamp))
        self.end(Close(408, Reason.HEARTBEAT, "the heartbeat was not answered"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def hear(self) -> None:
        """Something may have come for the session."""
        if self.phase is Phase.OPEN and not self.ended:
            self._delivery.go_on()

    # The end

    def end(self, close: Close) -> None:
        """Ends the connection; only the first cause counts."""
        if self.ended:
            return
        self.ended = True
        self._stop_timer()
        if self.pairing is not None:
            self.pairing.stop()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        self.sends.close()
        self._shared.gate.leave(self._ticket)
        self._session.ended(close)
