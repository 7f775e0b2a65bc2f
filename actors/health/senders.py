"""From whom a canary comes.  Pure.

A session gets canaries from its neighbours in a ring of all that take part, and from nobody else: supervised sessions
that logged in as another account, so never a stranger.  Each has a daily budget, the end of which is kept for what is
more urgent than to ask sessions that are usually silent.  Times are seconds since 1970.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import Generic, TypeVar

from actors.health.canary import (
    DAY_S,
    SETTLED_S,
    SPACING_S,
    SUSPICIOUS,
    Need,
    Past,
    Peer,
    Policy,
    Seat,
    age,
    share_of,
)
from actors.health.counts import RESTRICTED
from actors.health.liveness import FAULTS
from actors.health.signals import HOUR, window
from actors.session.vocabulary import State

NEIGHBOURS = 4
"""Of a session, at most: an account writes to few, and always the same."""
KEPT: Mapping[Need, float] = {Need.DOUBT: 0.25, Need.ROUTINE: 0.125, Need.SUSPICION: 0.125, Need.CONFIRMATION: 0.0}
"""Share of a sender's budget that is kept for what is more urgent."""
BOTH = 8
"""So many canaries more than another a sender may have sent, and is asked all the same if its own silence is
suspicious: the receipt shows that it hears."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a session sent, and when: all of the last 24 h."""

    times: tuple[float, ...] = field(default_factory=tuple)
    outdated: Mapping[float, float] = field(default_factory=dict)
    """Of those that are not within 24 h by the wall clock: since when, by a clock that nobody sets."""

    def within_day(self, now: float) -> int:
        """How many."""
        return sum(abs(now - at) < DAY_S for at in self.times)

    def pruned(self, now: float, steady: float) -> "Spent":
        """Without what has counted no more for a day that really went by: a wall clock that is ahead is set back."""
        outdated = {at: self.outdated.get(at, steady) for at in self.times if abs(now - at) >= DAY_S}
        return Spent(tuple(at for at in self.times if steady - outdated.get(at, steady) < DAY_S), outdated)


NOTHING = Spent()

S = TypeVar("S", bound=Seat)


class Ring(Generic[S]):
    """Those that take part, in two orders that have nothing to do with their names.

    Sessions that are named alike are likely to have the same hours and holidays: next to each other they would use up
    each other's budgets at once.  In two orders even the neighbours of neighbours are many, and share what there is
    to send.  Who comes or goes changes the neighbours of four.
    """

    def __init__(self, seats: Iterable[S], policy: Policy) -> None:
        taking_part = [seat for seat in seats if not policy.sessions or seat.id in policy.sessions]
        self._orders = [sorted(taking_part, key=key) for key in _KEYS]

    def neighbours(self, of: Seat) -> list[S]:
        """Who may write to it: of its world, with another account, the nearest on both sides in both orders."""
        few = [*islice(self._around(of, 0, 1), NEIGHBOURS + 1)]
        if len(few) <= NEIGHBOURS:
            return few
        near = (next(self._around(of, order, step)) for order in range(len(_KEYS)) for step in (1, -1))
        return [*{seat.id: seat for seat in near}.values()]

    def _around(self, of: Seat, number: int, step: int) -> Iterator[S]:
        """Whoever is able, nearest first in that direction."""
        order, key = self._orders[number], _KEYS[number]
        place = bisect_left(order, key(of), key=key)
        for distance in range(len(order)):
            seat = order[(place + distance if step > 0 else place - 1 - distance) % len(order)]
            if seat.world == of.world and seat.address != of.address and seat.id != of.id:
                yield seat


def _first(seat: Seat) -> tuple[int, str]:
    return _places(seat.id)[0], seat.id


def _second(seat: Seat) -> tuple[int, str]:
    return _places(seat.id)[1], seat.id


_KEYS: tuple[Callable[[Seat], tuple[int, str]], ...] = (_first, _second)


@lru_cache(maxsize=16_384)
def _places(id: str) -> tuple[int, int]:
    digest = blake2b(id.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8]), int.from_bytes(digest[8:])


def budget(policy: Policy, need: Need) -> int:
    """How many a session may have sent within 24 h, at the end of it, for a need: one is kept at least."""
    kept = max(1, int(KEPT[need] * policy.daily_budget)) if KEPT[need] else 0
    return max(1, policy.daily_budget - kept)


def may_send(peer: Peer, spent: Spent, need: Need, policy: Policy, now: float) -> bool:
    """Whether a session may send one now: restricted accounts never do."""
    signals = peer.signals
    if signals.state is not State.OPEN or age(signals.since, now) < SETTLED_S or peer.liveness in FAULTS:
        return False
    capped = signals.new_chats is not None and signals.new_chats.capped
    if signals.timelocked or capped or window(signals, HOUR, now).nacks.get(RESTRICTED):
        return False
    if signals.unanswered_since is not None:
        return False  # what it sent before is still on its way: one more would prove nothing
    recent = bool(spent.times) and age(spent.times[-1], now) < SPACING_S
    return not recent and spent.within_day(now) < budget(policy, need)


def choose(
    receiver: Peer,
    need: Need,
    ring: Ring[S],
    peers: Mapping[str, Peer],
    past: Past,
    spent: Mapping[str, Spent],
    reached: Mapping[str, float],
    policy: Policy,
    now: float,
) -> Peer | None:
    """The sender: not the one of the last time if there is another.  None if nobody may.

    ``peers`` are those of the ring that are open, ``reached`` when something of a sender last arrived anywhere.  What
    was missed is confirmed by somebody whose canaries were not missed in this silence, best by one of whom something
    arrived since.  Else it is who sent least, rather one whose own silence is suspicious.
    """
    near = (peers.get(seat.id) for seat in ring.neighbours(receiver))
    able = [
        peer for peer in near if peer is not None and may_send(peer, spent.get(peer.id, NOTHING), need, policy, now)
    ]
    if not able:
        return None
    asked = past.senders if past.missed_since(receiver.silent_since) else frozenset[str]()

    confirms = need is Need.CONFIRMATION

    def rank(peer: Peer) -> tuple[bool, bool, int, float]:
        doubted = not confirms and peer.silence < SUSPICIOUS
        return (
            peer.id in asked or peer.id == past.last_sender,
            confirms and reached.get(peer.id, 0.0) < receiver.silent_since,
            spent.get(peer.id, NOTHING).within_day(now) - BOTH * doubted,
            share_of(f"{receiver.id}/{peer.id}/{int(now)}"),
        )

    return min(able, key=rank)
