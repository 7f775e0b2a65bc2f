"""What each component of a health score counts."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Weights:
    """Most points of each component; those of the first five are together 100."""

    connection: float = 40.0
    latency: float = 15.0
    acknowledgements: float = 20.0
    errors: float = 15.0
    stability: float = 10.0
    platform: float = 20.0
    """Only where the platform rates the number; the others then share the rest."""

    def shared(self, *, rated: bool) -> "Weights":
        """The weights of a session, which are together 100."""
        if not rated:
            return replace(self, platform=0.0)
        rest = 1 - self.platform / 100
        return Weights(
            self.connection * rest,
            self.latency * rest,
            self.acknowledgements * rest,
            self.errors * rest,
            self.stability * rest,
            self.platform,
        )


DEFAULT_WEIGHTS = Weights()
