"""How much sooner than others a session is to be connected.  Pure."""

from collections.abc import Mapping

MOST = 100


def importance(labels: Mapping[str, str], weights: Mapping[str, int]) -> int:
    """The sum of the weights of its labels, -100 to 100; ``weights`` are by ``name:value``."""
    total = sum(weights.get(f"{name}:{value}", 0) for name, value in labels.items())
    return max(-MOST, min(MOST, total))
