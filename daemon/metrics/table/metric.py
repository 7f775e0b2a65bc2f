"""What the table says of a metric family."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram", "summary"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family."""

    name: str
    """As in queries; of a histogram or summary without `_bucket`, `_sum`, `_count`."""
    kind: Kind
    help: str
    """One sentence, without a line break."""
    labels: tuple[str, ...] = ()
    """In the order of the output; without `le` of histograms."""
    when: str = "always"
    """When there are series of it."""

    def __post_init__(self) -> None:
        if (self.kind == "counter") != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: counters, and only they, end in _total")
