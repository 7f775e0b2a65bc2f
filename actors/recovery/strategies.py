"""What recovery can do about a session, and the ladder of it for every cause: values only.

An episode begins on the first rung of its cause's ladder and climbs when what was done did not help; within an episode
nobody ever climbs down (``Strategy`` is in that order).  Which rung is taken when is decided in ``decide``.
"""

from collections.abc import Mapping
from enum import StrEnum

from actors.session.causes_table import Cause
from actors.session.vocabulary import Disposition


class Strategy(StrEnum):
    """What is done, in the order in which an episode climbs."""

    RECONNECT = "reconnect"
    """Another connection: by the session's own back-off, or, where it believes to be open, because it is told."""
    RESTART = "restart"
    """Its connection is closed and its actor replaced by a fresh one."""
    FAILOVER = "failover"
    """Its shard gets a fresh connector process, to which all its sessions move, one after the other."""
    SLOW_LANE = "slow_lane"
    """Everything was tried: tries go on seldom and without end, and operators are told again and again."""
    WAIT_UNTIL = "wait_until"
    """Nothing until a temporary ban is over, then one login."""
    PAIR_AGAIN = "pair_again"
    """Nothing: the device was thrown out, and somebody with the phone has to pair it again."""
    STOP = "stop"
    """Nothing until an operator acts."""
    NONE = "none"
    """No matter of recovery."""

    @property
    def is_deed(self) -> bool:
        """Whether recovery does it to a session that would not do it by itself, so that it has a budget and a cost."""
        return self in {Strategy.RESTART, Strategy.FAILOVER}

    @property
    def order(self) -> int:
        """Its height on any ladder."""
        return _ORDER[self]


_ORDER: Mapping[Strategy, int] = {strategy: number for number, strategy in enumerate(Strategy)}
Ladder = tuple[Strategy, ...]

OUTSIDE = frozenset(
    {
        Cause.GENERIC_FAILURE,
        Cause.EXPERIMENTAL,
        Cause.SERVICE_UNAVAILABLE,
        Cause.NETWORK_UNREACHABLE,
        Cause.PROXY_FAILED,
        Cause.HTTP_RATE_LIMITED,
        Cause.HTTP_FORBIDDEN,
        Cause.HTTP_UNAVAILABLE,
        Cause.HTTP_REFUSED,
        Cause.VAULT_UNAVAILABLE,
        Cause.AUTH_TOO_LARGE,
        Cause.CONNECTOR_LOST,
        Cause.CONNECTOR_FAULTY,
        Cause.CONNECTOR_RECYCLED,
        Cause.BACKLOG,
    }
)
"""The trouble is not in the session: WhatsApp, the network, the disk, or a process that its own supervisor restarts.

A fresh actor or connector process would meet the same.
"""
_BY_DISPOSITION: Mapping[Disposition, Ladder] = {
    Disposition.AT_ONCE: (Strategy.RECONNECT, Strategy.RESTART, Strategy.FAILOVER, Strategy.SLOW_LANE),
    Disposition.BACK_OFF: (Strategy.RECONNECT, Strategy.RESTART, Strategy.FAILOVER, Strategy.SLOW_LANE),
    Disposition.FEW_TRIES: (Strategy.RECONNECT, Strategy.STOP),
    Disposition.WAIT_UNTIL: (Strategy.WAIT_UNTIL,),
    Disposition.HALT: (Strategy.STOP,),
    Disposition.BLOCK: (Strategy.STOP,),
    Disposition.IDLE: (Strategy.NONE,),
    Disposition.NONE: (Strategy.NONE,),
}


def ladder(cause: Cause) -> Ladder:
    """The strategies for a cause, first to last; never empty."""
    if cause.needs_pairing:
        return (Strategy.PAIR_AGAIN,)
    if cause in OUTSIDE:
        return (Strategy.RECONNECT, Strategy.SLOW_LANE)
    return _BY_DISPOSITION[cause.disposition]
