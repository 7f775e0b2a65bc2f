"""From operators, and from recovery in their stead.  ``ref`` is given back with the answer."""

from dataclasses import dataclass, field

from actors.session.causes_table import Cause


@dataclass(frozen=True, slots=True)
class Start:
    """Undo a stop."""

    ref: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Close the connection and stay closed."""

    ref: str


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Open a new connection now; on a blocked or halted session a decision to try once more."""

    ref: str


@dataclass(frozen=True, slots=True)
class Heal:
    """Of recovery: the connection is open and does not work, so open another one."""

    ref: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Logout:
    """Remove the device at WhatsApp and forget it."""

    ref: str


@dataclass(frozen=True, slots=True)
class PairingRequested:
    """Show a QR."""

    ref: str


@dataclass(frozen=True, slots=True)
class PairingCodeRequested:
    """Give out a pairing code for a phone."""

    ref: str
    phone: str = field(repr=False)
    """Digits only."""


@dataclass(frozen=True, slots=True)
class AuthTaken:
    """The auth state of a stopped session was read, or another one put in its place, under a generation of main's."""

    ref: str
    replaced: bool


Command = Start | Stop | Reconnect | Heal | Logout | PairingRequested | PairingCodeRequested | AuthTaken
