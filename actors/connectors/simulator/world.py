"""The simulated WhatsApp as pure values: what its server remembers of a session, and how it answers.

A session's life is a function of the seed, its id and the time; nothing here has a clock or random state of its own.
Times are seconds on any clock that only goes forward.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from actors.connectors.rating import Rated, Rating
from actors.connectors.simulator.faults import Close, Fault, Mode, Refusal
from actors.connectors.simulator.profile import Profile

FOREVER = float("inf")
_OF_ONE_CONNECTION = frozenset({Mode.DEAF, Mode.HALF_OPEN, Mode.OUTBOUND_STUCK})
READ_SHARE = 0.5
"""Share of delivered messages to people outside that get read."""
RATED_ANEW_MS = 3_600_000
"""How often the platform says anew how it rates a number."""


def chance(seed: int, session: str, what: str, number: int) -> float:
    """An even number in [0, 1) that depends on nothing but its arguments."""
    digest = blake2b(f"{seed}/{session}/{what}/{number}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56


def phone_of(seed: int, session: str) -> str:
    """A made-up phone number: 15 digits under +999, which no country has."""
    return "999" + f"{int(chance(seed, session, 'phone', 0) * 10**12):012d}"


def token_of(seed: int, session: str, device: int) -> bytes:
    """What the server gave a device at its pairing, and asks for at each login."""
    return blake2b(f"{seed}/{session}/device/{device}".encode(), digest_size=32).digest()


def rated_anew(before: Rated | None, rating: Rating | None, at_ms: int, *, anew: bool) -> Rated | None:
    """What the platform says of a number at that time: if that is news, an hour old, or asked for ``anew``."""
    if rating is None and before is None:
        return None
    said = Rated(rating or Rating.UNKNOWN, at_ms)
    if anew or before is None or before.rating is not said.rating or at_ms - before.at >= RATED_ANEW_MS:
        return said
    return None


def latency(profile: Profile, life: "Life", now: float, share: float) -> float:
    """Seconds until the server's answer, for an even ``share`` in [0, 1)."""
    base = profile.latency_ms + profile.jitter_ms * (2 * share - 1)
    return max(0.0, base + life.value(Mode.SLOW, now)) / 1000


@dataclass(frozen=True, slots=True)
class Lasting:
    """A mode that is on."""

    until: float
    value: float


@dataclass(frozen=True, slots=True)
class Life:
    """What the server remembers of a session."""

    refusal: Refusal | None = None
    refused_until: float = FOREVER
    modes: Mapping[Mode, Lasting] = field(default_factory=dict)
    rating: Rating | None = None
    """How the number is rated; None: as the profile says."""

    def suffer(self, fault: Fault, now: float) -> "Life":
        """The life after a fault; a later refusal replaces an earlier one."""
        life = self
        if fault.refusal is not None:
            until = FOREVER if fault.refusal.seconds is None else now + fault.refusal.seconds
            life = replace(life, refusal=fault.refusal, refused_until=until)
        if fault.mode is not None:
            until = FOREVER if fault.seconds is None else now + fault.seconds
            life = replace(life, modes={**life.modes, fault.mode: Lasting(until, fault.value)})
        if fault.rating is not None:
            life = replace(life, rating=fault.rating)
        return life

    def has(self, mode: Mode, now: float) -> bool:
        """Whether a mode is on."""
        lasting = self.modes.get(mode)
        return lasting is not None and now < lasting.until

    def value(self, mode: Mode, now: float) -> float:
        """The value of a mode, 0 when it is off."""
        return self.modes[mode].value if self.has(mode, now) else 0.0

    def rest(self, mode: Mode, now: float) -> float | None:
        """Seconds that a mode goes on; None if there is no end in sight."""
        lasting = self.modes.get(mode)
        until = now if lasting is None else lasting.until
        return None if until == FOREVER else max(0.0, until - now)

    def nack(self, now: float) -> int | None:
        """The error number with which a message is refused now, if it is."""
        number = self.value(Mode.NACK, now) or self.value(Mode.TIMELOCK, now)
        return int(number) or None

    def answer_login(self, now: float, pairing: bool = False) -> Close | None:
        """Why a login (or the beginning of a pairing) is refused now; None if it is not."""
        if self.refusal is None or now >= self.refused_until or (pairing and self.refusal.device):
            return None
        close = self.refusal.close
        if "expire" in close.data:  # a ban's rest is told at each try
            rest = max(1, round(self.refused_until - now))
            return replace(close, data={**close.data, "expire": str(rest)})
        return close

    def paired_anew(self) -> "Life":
        """The life after a pairing: what concerned the old device is over."""
        if self.refusal is not None and self.refusal.device:
            return replace(self, refusal=None, refused_until=FOREVER)
        return self

    def reconnected(self) -> "Life":
        """The life at a login: deaf, half-open and stuck are troubles of one connection."""
        return replace(self, modes={mode: on for mode, on in self.modes.items() if mode not in _OF_ONE_CONNECTION})
