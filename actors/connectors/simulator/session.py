"""One session in the simulator: its link, its generation, its place in the world, and the connection it may have."""

import asyncio

from actors.connectors.link_events import Closed, LinkEvent, PhaseChanged, Quality, Superseded, Timelock
from actors.connectors.link_frames import to_frame
from actors.connectors.protocol import GRACE_SECONDS, ErrorCode, Phase, Reason, State
from actors.connectors.proxytarget import ProxyTarget
from actors.connectors.rating import Rated
from actors.connectors.simulator.connection import Connection
from actors.connectors.simulator.faults import Close, Fault, Mode
from actors.connectors.simulator.mailbox import Garbled, Mailbox
from actors.connectors.simulator.pairing import Pairing
from actors.connectors.simulator.profile import Profile, Step
from actors.connectors.simulator.shared import Shared
from actors.connectors.simulator.world import Life, chance, latency, phone_of, rated_anew
from actors.connectors.vaultlink import SessionVault
from actors.runtime.rpc import Link, RemoteError

CLOSED_BY_US = Close(0, Reason.CLOSED_BY_US, "")


class Session:
    """A session that this process knows.  Without a connection it costs no task and, without a script, no timer."""

    __slots__ = (
        *("_claims", "_draws", "_due", "_forgotten", "_grace", "_link", "_script", "_shared", "_since", "_unseen"),
        *("connection", "device", "id", "life", "mailbox", "paired", "paired_by_profile", "phone", "profile"),
        *("rated", "vault"),
    )

    def __init__(self, id: str, shared: Shared) -> None:
        self.id = id
        self.profile = Profile()
        self.life = Life()
        self.mailbox = Mailbox()
        self.connection: Connection | None = None
        self.paired = False
        self.paired_by_profile = False
        """The profile says so, the vault does not know it yet."""
        self.phone = ""
        self.device = 0
        """Number of the device paired last; 0: none yet."""
        self.rated: Rated | None = None
        """What the platform said last of this device's number."""
        self.vault = SessionVault(shared.vault, id)
        self._shared = shared
        self._link: Link | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._script: asyncio.TimerHandle | None = None
        self._due: tuple[float, tuple[Step, ...]] | None = None
        self._forgotten = False
        self._since = shared.loop.time()
        self._unseen: Closed | None = None
        self._draws = 0
        self._claims = 0

    @property
    def gone(self) -> bool:
        """Whether there is neither a link, nor one that comes, nor a connection."""
        return self._link is None and self.connection is None and not self._claims

    @property
    def unheard(self) -> bool:
        """Whether the end of a connection waits for somebody to tell it to."""
        return self._unseen is not None

    def forget(self) -> None:
        """The session is known here no more: its script ends, and nobody reaches its phone."""
        if self._script is not None:
            self._script.cancel()
            self._script = None
        self._shared.unlist_phone(self)

    async def claim(self, generation: int) -> bool:
        """As SessionVault.claim; its link is to be attached at once."""
        self._claims += 1
        try:
            return await self.vault.claim(generation)
        finally:
            self._claims -= 1

    @property
    def phase(self) -> Phase:
        """Where the connection stands."""
        return Phase.IDLE if self.connection is None else self.connection.phase

    @property
    def state(self) -> State:
        """The state of the protocol."""
        if self.connection is None:
            return State(paired=self.paired, quality=self.rated)
        return self.connection.state

    def attach(self, link: Link) -> Link | None:
        """Makes a link the session's own, after its generation was claimed; returns the one that it replaces."""
        old, self._link = self._link, link
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        if old is not None:
            old.send(to_frame(Superseded(session=self.id, at=self._shared.now_ms())))
        if self._unseen is not None:
            link.send(to_frame(self._unseen))
            self._unseen = None
        return old

    def detach(self, link: Link) -> None:
        """A link ended; if it was the session's own, its connection is kept for a successor, but not for long."""
        if link is not self._link:
            return
        self._link = None
        if self.connection is not None:
            self._grace = self._shared.loop.call_later(GRACE_SECONDS, self._grace_over)

    def behave(self, profile: Profile, paired: bool) -> None:
        """Takes over the profile of a ``hello`` and what the vault says about the auth state."""
        first = not self.phone
        if first or (profile.phone is not None and profile.phone != self.profile.phone):
            self._shared.list_phone(profile.phone or phone_of(self._shared.options.seed, self.id), self)
        self.profile = profile
        self.paired_by_profile = profile.paired and not paired and not self._forgotten
        self.paired = paired or self.paired_by_profile
        self._plan(self._shared.loop.time() - self._since)

    def answer_time(self) -> float:
        """Seconds that the server takes for its next answer."""
        self._draws += 1
        share = chance(self._shared.options.seed, self.id, "latency", self._draws)
        return latency(self.profile, self.life, self._shared.loop.time(), share)

    def suffers(self, mode: Mode) -> bool:
        """Whether a mode is on."""
        return self.life.has(mode, self._shared.loop.time())

    # Commands

    def open(self, proxy: ProxyTarget | None = None) -> None:
        """Starts a connection.  Raises RemoteError ``busy``."""
        if self.connection is not None:
            raise RemoteError(ErrorCode.BUSY, f"the connection is {self.phase}")
        self.connection = Connection(self, self._shared, proxy)
        self._shared.loop.call_soon(self.connection.enter)  # after the answer to the command

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self.connection is not None:
            self.connection.end(CLOSED_BY_US)

    async def logout(self) -> None:
        """Removes the device and its auth state.  Raises RemoteError ``not_paired``, ``not_open``, ``closed``."""
        if not self.paired:
            raise RemoteError(ErrorCode.NOT_PAIRED, "there is no device to log out")
        connection = self.open_connection()
        await asyncio.sleep(self.answer_time())
        if connection.ended:
            raise RemoteError(ErrorCode.CLOSED, "the connection ended before the logout")
        await self._forget()
        connection.end(Close(401, Reason.INTENTIONAL_LOGOUT, "Intentional Logout"))

    async def reset_auth(self) -> None:
        """Deletes the auth state.  Raises RemoteError ``busy``."""
        if self.connection is not None:
            raise RemoteError(ErrorCode.BUSY, f"the connection is {self.phase}")
        await self._forget()

    async def _forget(self) -> None:
        await self.vault.reset()
        self.paired = self.paired_by_profile = False
        self.rated = None
        self._forgotten = True

    def open_connection(self) -> Connection:
        """The connection, if it is open.  Raises RemoteError ``not_open``."""
        if self.connection is None or self.connection.phase is not Phase.OPEN:
            raise RemoteError(ErrorCode.NOT_OPEN, f"the connection is {self.phase}")
        return self.connection

    @property
    def pairing(self) -> Pairing:
        """The pairing that is on.  Raises RemoteError ``not_pairing``."""
        if self.connection is None or self.connection.pairing is None:
            raise RemoteError(ErrorCode.NOT_PAIRING, f"the connection is {self.phase}")
        return self.connection.pairing

    # What the world does

    def strike(self, fault: Fault) -> None:
        """A fault befalls the session."""
        now = self._shared.loop.time()
        self.life = self.life.suffer(fault, now)
        self._shared.counts["faults"] += 1
        connection = self.connection
        if connection is None:
            return
        if fault.cut is not None:
            if connection.phase is not Phase.QUEUED:  # there is nothing to cut yet
                connection.end(fault.cut)
        elif connection.phase is Phase.OPEN:
            if fault.mode is Mode.TIMELOCK:
                self.tell_timelock()
            self.tell_quality()
            for _ in range(fault.undecryptable):
                self.mailbox.put(self._garbled(), self._shared.loop.time())
            connection.hear()
        if fault.mode is not None and fault.seconds is not None:
            self._shared.loop.call_later(fault.seconds, self._eased, fault.mode)

    def clear(self) -> None:
        """All lasting faults are over, the script goes on."""
        timelocked = self.suffers(Mode.TIMELOCK)
        self.life = Life()
        if timelocked:
            self._eased(Mode.TIMELOCK)
        if self.connection is not None:
            if self.connection.phase is Phase.OPEN:
                self.tell_quality()
            self.connection.hear()

    def _eased(self, mode: Mode) -> None:
        if self.connection is None or self.connection.phase is not Phase.OPEN or self.suffers(mode):
            return
        if mode is Mode.TIMELOCK:
            self.tell(Timelock(session=self.id, at=self._shared.now_ms(), active=False, until=None))
        self.connection.hear()

    def tell_timelock(self) -> None:
        """The server says that the account is restricted."""
        at, rest = self._shared.now_ms(), self.life.rest(Mode.TIMELOCK, self._shared.loop.time())
        until = None if rest is None else at + int(rest * 1000)
        self.tell(Timelock(session=self.id, at=at, active=True, until=until))

    def tell_quality(self, *, anew: bool = False) -> None:
        """The platform says how it rates the number: if that is news, an hour old, or asked for ``anew``."""
        rating = self.life.rating or self.profile.quality
        if (news := rated_anew(self.rated, rating, self._shared.now_ms(), anew=anew)) is not None:
            self.rated = news
            self.tell(Quality(session=self.id, at=news.at, rating=news.rating))

    def _garbled(self) -> Garbled:
        self._draws += 1
        seed = self._shared.options.seed
        message_id = f"SIM{int(chance(seed, self.id, 'message', self._draws) * 16**12):012X}"
        return Garbled(message_id, phone_of(seed, f"{self.id}/{self._draws}"))

    def _plan(self, elapsed: float) -> None:
        if self._script is not None:
            self._script.cancel()
            self._script = None
        self._due = self.profile.next_step(elapsed)
        if self._due is not None:
            self._script = self._shared.loop.call_at(self._since + self._due[0], self._play)

    def _play(self) -> None:
        if self._due is not None:
            when, steps = self._due
            for step in steps:
                self.strike(step.fault)
            self._plan(max(when, self._shared.loop.time() - self._since))  # what a pause swallowed is left out

    # What the connection reports

    def tell(self, event: LinkEvent) -> None:
        """Pushes an event to the session's link; while there is none it is folded into the state."""
        if self._link is not None:
            self._link.send(to_frame(event))
        elif isinstance(event, Closed):
            self._unseen = event

    def phase_changed(self, pairing: bool | None = None) -> None:
        """Tells the host; ``pairing``: what waits to be let in is one."""
        event = PhaseChanged(session=self.id, at=self._shared.now_ms(), phase=self.phase, pairing=pairing)
        self._shared.tell_host(event)

    def ended(self, close: Close) -> None:
        """The connection ended."""
        self.connection = None
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        self.tell(
            Closed(
                session=self.id,
                at=self._shared.now_ms(),
                code=close.code,
                reason=close.reason,
                message=close.message,
                data=close.data,
            )
        )
        self._shared.counts["closed"] += 1
        self.phase_changed()

    def _grace_over(self) -> None:
        self._grace = None
        self.close()
