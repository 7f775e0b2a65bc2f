"""What history keeps of a session as it was observed: stretches of time in one status, and what was counted in them.

Times are whole milliseconds since 1970, so that sums are exact whatever their order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from actors.health.quality import Quality
from actors.health.status import Status
from actors.session.sample import Sample

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Content:
    """What was counted: of one sample, or of one connection that ended."""

    heartbeats: int = 0
    """Answered ones."""
    missed: int = 0
    acks: int = 0
    receipts: int = 0
    received: int = 0
    undecryptable: int = 0
    nacks: tuple[tuple[int, int], ...] = ()
    """Error code and count, by code."""
    disconnects: tuple[tuple[str, int], ...] = ()
    """Cause and count, failures only, by name."""
    rtt_p50: int | None = None
    """Tenths of a millisecond; None without a heartbeat, as is p95."""
    rtt_p95: int | None = None

    def __bool__(self) -> bool:
        return self != NOTHING

    @property
    def key(self) -> tuple[object, ...]:
        """Something to sort by."""
        times = (-1 if self.rtt_p50 is None else self.rtt_p50, -1 if self.rtt_p95 is None else self.rtt_p95)
        counts = (self.heartbeats, self.missed, self.acks, self.receipts, self.received, self.undecryptable)
        return (*counts, self.nacks, self.disconnects, *times)


NOTHING = Content()


@dataclass(frozen=True, slots=True)
class Entry:
    """The stretch of ``ms`` that ended at ``at``, within one minute, and what was counted at its end."""

    at: int
    ms: int = 0
    """0 to 60,000."""
    status: Status | None = None
    """None: only counts are known."""
    quality: Quality | None = None
    score: int | None = None
    cause: str | None = None
    """The last trouble, while it is not connected."""
    content: Content = NOTHING

    @property
    def minute(self) -> int:
        """The minute that it belongs to, counted since 1970: what ends with a minute is of that minute."""
        return (self.at - 1) // MINUTE_MS

    def follows(self, other: "Entry") -> bool:
        """Whether it only goes on with what ``other``, which counted nothing, tells of the same minute."""
        return (
            not other.content
            and self.at - self.ms == other.at
            and self.minute == other.minute
            and (self.status, self.quality, self.score, self.cause)
            == (other.status, other.quality, other.score, other.cause)
        )


def counted(sample: Sample) -> Content:
    """The counts of a sample."""
    return Content(
        heartbeats=sample.heartbeats,
        missed=sample.heartbeats_missed,
        acks=sample.acks,
        receipts=sample.receipts,
        received=sample.received,
        undecryptable=sample.undecryptable,
        nacks=tuple(sorted(sample.nacks.items())),
        rtt_p50=_tenths(sample.rtt_p50_ms),
        rtt_p95=_tenths(sample.rtt_p95_ms),
    )


def _tenths(ms: float | None) -> int | None:
    return None if ms is None else round(ms * 10)


def append(entries: list[Entry], entry: Entry) -> None:
    """Adds the latest entry, as part of the one before if it only goes on with that."""
    if entries and entry.follows(entries[-1]):
        entries[-1] = replace(entry, ms=entries[-1].ms + entry.ms)
    elif entry.ms or entry.content:
        entries.append(entry)


def union(*several: Iterable[Entry]) -> list[Entry]:
    """All entries once, in order: what was stored already is the same when it is stored again."""
    return sorted(dict.fromkeys(entry for entries in several for entry in entries), key=_order)


def _order(entry: Entry) -> tuple[object, ...]:
    score = -1 if entry.score is None else entry.score
    names = (entry.status or "", entry.quality or "", entry.cause or "")
    return (entry.at, entry.ms, score, *names, entry.content.key if entry.content else ())


def tidy(entries: Sequence[Entry]) -> list[Entry]:
    """The same entries, in order, with no moment in two of them: a clock that was set back lives it twice."""
    result: list[Entry] = []
    seen = 0
    for entry in sorted(entries, key=_order):
        ms = min(entry.ms, max(0, entry.at - seen))
        result.append(entry if ms == entry.ms else replace(entry, ms=ms))
        seen = entry.at if ms else seen
    return result
