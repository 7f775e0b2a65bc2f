"""What a decision of recovery is made of: bounds, what is around a session, and what comes out.  Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from actors.recovery.budgets import Budgets, Deed
from actors.recovery.learning import NOTHING, Learnt
from actors.recovery.strategies import Strategy


class Rule(StrEnum):
    """What a decision rests on."""

    WELL = "well"
    PAUSED = "paused"
    STANDS = "stands"
    """Nothing may be tried: it waits for a time or an operator."""
    RECONNECTS = "reconnects"
    """The session tries by itself; its tries are not used up."""
    UNDER_WAY = "under_way"
    UNPROVEN = "unproven"
    """It is open, and has yet to prove itself."""
    GRACE = "grace"
    """Its connector ends such a connection by itself, and has time for it."""
    HELD = "held"
    """What was done did harm."""
    SHARED = "shared"
    """Many have the same trouble: what was done to one of them has yet to show whether it would help the others."""
    REFUSED = "refused"
    """Whoever should have done it could not, a short time ago."""
    CROWD = "crowd"
    """Enough is being done at the same time."""
    BUDGET = "budget"
    FIRST = "first"
    """Nothing was done on this rung."""
    CLIMB = "climb"
    """What was done on the rung below did not help."""
    FORCED = "forced"
    """An operator ordered it."""
    SLOW = "slow"
    """Everything was tried: once more after a long time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the decisions; seconds."""

    tries: Mapping[Strategy, int] = field(
        default_factory=lambda: {Strategy.RECONNECT: 6, Strategy.RESTART: 3, Strategy.FAILOVER: 3}
    )
    """Connections that a closed session tries on a rung before it climbs."""
    patience_s: float = 60.0
    """Least time on a rung of a closed session, however fast its tries fail."""
    unanswered_s: float = 45.0
    """Longest time from an order until something is seen of it; the shutting of a connection takes up to 15."""
    grace_s: float = 30.0
    """For a connector to end a half-open connection by itself."""
    slow_s: float = 1800.0
    """Between two tries in the slow lane of a session that believes to be open."""
    refused_s: float = 30.0
    """From a refusal until it is ordered again."""
    shared_least: int = 3
    """Fewer sessions in trouble are no shared trouble."""
    shared_share: float = 0.3
    """Share of all sessions in trouble from which on it is shared."""
    lasting_s: float = 60.0
    """Time after which the trouble of sessions may be put down to the process that they share."""
    shared_s: float = 3600.0
    """Time in the slow lane after which a session's trouble is its own."""
    crowd: int = 4
    """Deeds that are under way at a time; one when the trouble is shared: that one probes."""
    probe_s: float = 600.0
    """For a restart or failover to show what it is worth when the trouble is shared; another one has to wait for it."""
    failover_pause_s: float = 600.0
    """Between two replacements of one connector process."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a decision needs beside the episode."""

    budgets: Budgets = field(default_factory=Budgets)
    limits: Limits = field(default_factory=Limits)
    learnt: Learnt = NOTHING
    deeds: tuple[Deed, ...] = ()
    """Of the session within the last hour."""
    process_deeds: tuple[Deed, ...] = ()
    """Of all sessions of its connector process within the last hour."""
    siblings: int = 0
    """Other sessions that are open on that process: a failover costs each of them a login."""
    sessions: int = 1
    """Of the fleet that are to be connected."""
    troubled: int = 0
    """Those with an open episode of a cause about which something may be tried; neither paused nor long given up."""
    process_sessions: int = 1
    """The same of those that live on its connector process."""
    process_troubled: int = 0
    """Of them those in trouble for a minute and more: after its process died they all are, for a moment."""
    probes: tuple[Deed, ...] = ()
    """The last restart or failover of each other session whose trouble goes on since."""
    under_way: int = 0
    """Other sessions to which something was done a short time ago, of which no effect is known yet."""
    held_until: float | None = None
    """Nothing is done to the session before, since what was done did harm."""
    paused_until: float | None = None
    """Recovery is paused: infinity until somebody ends it."""
    process_paused: bool = False
    """So it is for a session of its connector process, whose connection must not be touched."""

    @property
    def shared(self) -> bool:
        """Whether so many are in trouble that it can't be each one's own."""
        return self._are_many(self.troubled, self.sessions)

    @property
    def replaced_at(self) -> float | None:
        """When its connector process was last replaced for the sake of a session, within the hour."""
        return max((deed.at for deed in self.process_deeds if deed.strategy is Strategy.FAILOVER), default=None)

    @property
    def of_process(self) -> bool:
        """Whether it seems to be the trouble of that process, more than of all, and a fresh one has yet to be tried."""
        many = self._are_many(self.process_troubled, self.process_sessions)
        return many and (not self.shared or 2 * self.process_troubled > self.troubled) and self.replaced_at is None

    def _are_many(self, troubled: int, sessions: int) -> bool:
        return troubled >= max(self.limits.shared_least, self.limits.shared_share * sessions)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done now."""

    rule: Rule
    because: str
    """A sentence for operators."""
    strategy: Strategy
    """The rung that the session is on, or gets on now."""
    act: bool = False
    """Whether something is ordered now."""
    until: float | None = None
    """When the decision is due again at the latest, if a time is known; seconds since 1970."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Counters, budgets and learnt success that it rests on: JSON values."""

    def why(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        return {"rule": str(self.rule), "because": self.because, **self.facts}
