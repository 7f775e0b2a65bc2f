"""What happened within a minute, an hour or a window, as numbers that add up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from actors.session.causes import Cause

RESTRICTED = 463
"""Error code of messages that the account may not send for now: no fault of the connection."""
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened within a bucket or a window."""

    heartbeats: int = 0
    """Answered ones."""
    missed: int = 0
    acks: int = 0
    receipts: int = 0
    received: int = 0
    undecryptable: int = 0
    nacks: Mapping[int, int] = field(default_factory=dict)
    """By error code."""
    disconnects: Mapping[Cause, int] = field(default_factory=dict)
    """Failures only."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            heartbeats=self.heartbeats + other.heartbeats,
            missed=self.missed + other.missed,
            acks=self.acks + other.acks,
            receipts=self.receipts + other.receipts,
            received=self.received + other.received,
            undecryptable=self.undecryptable + other.undecryptable,
            nacks=_merged(self.nacks, other.nacks),
            disconnects=_merged(self.disconnects, other.disconnects),
        )

    @property
    def refused(self) -> int:
        """Messages that the server refused."""
        return sum(self.nacks.values())

    @property
    def restricted(self) -> int:
        """Those of them that the account may not send for now."""
        return self.nacks.get(RESTRICTED, 0)

    @property
    def rejected(self) -> int:
        """Those that it refused for another reason."""
        return self.refused - self.restricted

    @property
    def failures(self) -> int:
        """Connections that ended by a failure."""
        return sum(self.disconnects.values())


@dataclass(frozen=True, slots=True)
class Bucket:
    """The counts of one minute or one hour."""

    number: int
    """Minutes or hours since 1970."""
    counts: Counts


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of counts; many are added at once, since a frozen record a step would cost ten times as much."""
    heartbeats = missed = acks = receipts = received = undecryptable = 0
    nacks: Mapping[int, int] = {}
    disconnects: Mapping[Cause, int] = {}
    for one in counts:
        heartbeats += one.heartbeats
        missed += one.missed
        acks += one.acks
        receipts += one.receipts
        received += one.received
        undecryptable += one.undecryptable
        if one.nacks:
            nacks = _merged(nacks, one.nacks)
        if one.disconnects:
            disconnects = _merged(disconnects, one.disconnects)
    return Counts(heartbeats, missed, acks, receipts, received, undecryptable, nacks, disconnects)


def united(one: Iterable[Bucket], other: Iterable[Bucket]) -> tuple[Bucket, ...]:
    """The buckets of both, in order, each number once."""
    counts: dict[int, Counts] = {}
    for bucket in (*one, *other):
        counts[bucket.number] = counts.get(bucket.number, Counts()) + bucket.counts
    return tuple(Bucket(number, counts[number]) for number in sorted(counts))


def put(buckets: tuple[Bucket, ...], counts: Counts, at: float, width: float, oldest: float) -> tuple[Bucket, ...]:
    """Adds to the bucket of ``at``, which may not be the last one; those before ``oldest`` are forgotten.

    ``width`` is that of a bucket; all are in seconds.
    """
    number = int(at // width)
    kept = {b.number: b.counts for b in buckets}
    kept[number] = kept.get(number, Counts()) + counts
    return tuple(Bucket(n, kept[n]) for n in sorted(kept) if n >= int(oldest // width))


def undecryptable_share(counts: Counts) -> float | None:
    """Which share of what arrived could not be decrypted; None if nothing arrived."""
    arrived = counts.received + counts.undecryptable
    return counts.undecryptable / arrived if arrived else None


def _merged(one: Mapping[K, int], other: Mapping[K, int]) -> Mapping[K, int]:
    return dict(Counter(one) + Counter(other)) if one and other else one or other
