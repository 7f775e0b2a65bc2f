"""From the host: the life of the actor and of its link."""

from dataclasses import dataclass, field

from actors.recovery.plans import Policy
from actors.session.inputs.connector import PlatformQuality
from actors.session.state import Proxy, Saved


@dataclass(frozen=True, slots=True)
class Resumed:
    """The state that the actor before left behind.  Nothing is done before this."""

    saved: Saved | None
    enabled: bool | None = None
    """What the operator's record says, which is the newer of the two; None: the saved state decides."""
    paused_until: float | None = None
    """As ``PauseChanged`` says it."""


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The connector answered ``hello``."""

    adopted: bool
    phase: str
    """idle, queued, connecting, pairing or open"""
    paired: bool
    me: str | None = None
    opened_at: float | None = None
    qr: str | None = field(default=None, repr=False)
    qr_expires_at: float | None = None
    proxied: str | None = None
    """The mark of the proxy that the connection goes through."""
    can_proxy: bool = False
    rates: bool = False
    """The connector tells how the platform rates the number."""
    rated: PlatformQuality | None = None
    """What it told last, if that still holds."""
    fresh: bool = False
    """It is another process than the one that the link before was to: it has nothing to tell of what was before."""
    replaced: int = 0
    """The generation under which main last put another auth state in its place; 0: never."""


@dataclass(frozen=True, slots=True)
class ProxyChanged:
    """The session's connections have to go another way from now on; also told before ``Resumed``."""

    proxy: Proxy | None


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """The session plans by another policy from now on; also told before ``Resumed``."""

    policy: Policy


@dataclass(frozen=True, slots=True)
class PauseChanged:
    """Recovery is paused, or no longer."""

    until: float | None
    """Infinity: until it is told otherwise; None, or a time that is over: not paused."""


@dataclass(frozen=True, slots=True)
class Move:
    """A new connector process listens in the place of the one that the link is to."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link to the connector ended."""


@dataclass(frozen=True, slots=True)
class ConnectorFaulty:
    """The connector process broke the protocol or can't start: it is ended, or not there, and tried again."""

    fault: str
    """Its kind."""
    sentence: str
