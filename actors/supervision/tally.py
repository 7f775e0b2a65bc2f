"""Counting restarts so that none is lost with the supervisor that made it.  Pure.

Each supervisor tells its parent the sums of its life; the parent keeps those of the supervisors that ended.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from actors.supervision.state import Child


@dataclass(frozen=True, slots=True)
class Tally:
    """The restarts that one supervisor knows of, by kind."""

    ended: Mapping[str, int] = field(default_factory=dict)
    """Its own, and those of supervisors below it that are no more."""
    below: Mapping[str, tuple[int, Mapping[str, int]]] = field(default_factory=dict)
    """Supervisor below it -> its incarnation and what it told last."""
    counted: Mapping[str, int] = field(default_factory=dict)
    """Child -> its ``restarts`` when it was last started."""

    @property
    def total(self) -> dict[str, int]:
        """All by kind."""
        sums = Counter(self.ended)
        for _, told in self.below.values():
            sums.update(told)
        return dict(sums)


def started(tally: Tally, child: Child) -> Tally:
    """A child is started: for the first time, or once more."""
    again = max(0, child.restarts - tally.counted.get(child.spec.id, 0))
    ended = {**tally.ended, child.spec.kind: tally.ended.get(child.spec.kind, 0) + again} if again else tally.ended
    return replace(tally, ended=ended, counted={**tally.counted, child.spec.id: child.restarts})


def told(tally: Tally, id: str, incarnation: int, by_kind: Mapping[str, int]) -> Tally:
    """A supervisor below told its sums; those of its life before are kept, what comes late from there is ignored."""
    known, before = tally.below.get(id, (0, {}))
    if incarnation < known:
        return tally
    ended = tally.ended if incarnation == known else dict(Counter(tally.ended) + Counter(before))
    return replace(tally, ended=ended, below={**tally.below, id: (incarnation, dict(by_kind))})
