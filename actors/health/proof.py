"""Has a connection that opened proved that it works?  Pure.

That it opened proves little: what was wrong with the one before may be wrong with this one.  What proves it depends on
what had been wrong: after an ordinary end of a connection a heartbeat that was sent and answered on the new one; after
deafness something from the server's delivery path beyond what a login itself brings; after stuck sends an acknowledged
message.  A session that has nothing to send or to hear is not restarted for it: when the time for a proof is over, and
nothing speaks against it, that is proof enough.  Times are seconds since 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from actors.health.liveness import FAULTS, Verdict
from actors.health.signals import DAY, Signals, window
from actors.session.vocabulary import State

LONG_PATIENCE_S = 600.0
"""For an inbound message or an acknowledgement: what is wrong again is noticed within that time."""
LOGIN_S = 2.0
"""What the delivery path brings within this time after the opening belongs to the login."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a proof is waited for; it follows the configured heartbeats."""

    heartbeat_s: float = 90.0
    """From the opening, for a heartbeat to the server."""
    reported_s: float = 40.0
    """A session whose last sample is older says nothing now: who does not report is not blamed for silence."""

    @classmethod
    def after(cls, connection_s: float, actor_s: float) -> "Patience":
        """For these periods of a connection's heartbeats, and of the samples of a session's actor."""
        return cls(max(90.0, 3 * connection_s + actor_s), 3 * actor_s + 10.0)


class Needed(StrEnum):
    """What proves a connection."""

    HEARTBEAT = "heartbeat"
    DELIVERY = "delivery"
    ACKNOWLEDGEMENT = "acknowledgement"


_AFTER: Mapping[str, Needed] = {"deaf": Needed.DELIVERY, "outbound_stuck": Needed.ACKNOWLEDGEMENT}
"""By the name of a liveness, which is that of the cause as well."""


def is_lasting(liveness: str) -> bool:
    """Whether a liveness is a fault that only its own kind of proof ends."""
    return liveness in _AFTER


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the connection that opened then works."""

    opened_at: float
    proven: bool
    needed: Needed
    last_in: float | None
    last_out: float | None

    def to_event(self) -> dict[str, Any]:
        """The data of ``health.proof``."""
        return {
            "openedAt": self.opened_at,
            "proven": self.proven,
            "needed": str(self.needed),
            "evidence": {"lastIn": self.last_in, "lastOut": self.last_out},
        }


def prove(
    signals: Signals,
    opened_at: float,
    verdict: Verdict | None,
    now: float,
    patience: Patience,
    fault: str | None = None,
) -> Proof | None:
    """The proof of a session's connection, open since then, or that there is none; None: it is too early to tell.

    ``fault``: the liveness that was a fault before, and has not been proved to be over; it outweighs the last cause,
    which may be no more than a move to another process.
    """
    if signals.state is not State.OPEN or verdict is None:
        return None
    needed = _AFTER.get(fault or "", _AFTER.get(signals.cause or "", Needed.HEARTBEAT))
    proof = Proof(opened_at, True, needed, signals.last_in, signals.last_out)
    if _satisfied(signals, opened_at, needed):
        return proof
    waited = now - opened_at
    if waited < (patience.heartbeat_s if needed is Needed.HEARTBEAT else LONG_PATIENCE_S):
        return None
    if signals.sampled_at is None or now - signals.sampled_at > patience.reported_s:
        return None
    if verdict.liveness in FAULTS or (needed is Needed.HEARTBEAT and _has_heartbeats(signals, now)):
        return replace(proof, proven=False)
    return proof


def _satisfied(signals: Signals, opened_at: float, needed: Needed) -> bool:
    acknowledged = _after(signals.last_ack, opened_at)
    if needed is Needed.ACKNOWLEDGEMENT:
        return acknowledged
    # an acknowledged message is as good as a heartbeat: it went out, and its answer came in
    answered = acknowledged or _after(signals.last_heartbeat, opened_at)
    return answered and (needed is Needed.HEARTBEAT or _after(signals.last_delivery, opened_at + LOGIN_S))


def _after(at: float | None, then: float) -> bool:
    return at is not None and at > then


def _has_heartbeats(signals: Signals, now: float) -> bool:
    """Whether its connector has heartbeats at all."""
    day = window(signals, DAY, now)
    return day.heartbeats + day.missed > 0
