"""Quality: a word for a score, which does not change back and forth when the score trembles at a border."""

from enum import StrEnum

MARGIN = 3
"""Points beyond a border that a score must reach before the word changes."""


class Quality(StrEnum):
    """How good a connection is, best first."""

    EXCELLENT = "excellent"
    GOOD = "good"
    POOR = "poor"
    CRITICAL = "critical"


BANDS: tuple[tuple[int, Quality], ...] = (
    (85, Quality.EXCELLENT),
    (65, Quality.GOOD),
    (40, Quality.POOR),
    (0, Quality.CRITICAL),
)
"""Lowest score of each band, best first."""


def band(score: int) -> Quality:
    """The band of a score from 0 to 100, without a history."""
    return next((quality for least, quality in BANDS if score >= least), Quality.CRITICAL)


def quality(score: int, previous: Quality | None = None) -> Quality:
    """The quality of a session that had ``previous``: another band only if the score is ``MARGIN`` points into it.

    Without a history the plain band counts.
    """
    if previous is None:
        return band(score)
    if _order(band(score)) < _order(previous):
        return min(band(score - MARGIN), previous, key=_order)
    return max(band(score + MARGIN), previous, key=_order)


def _order(quality: Quality) -> int:
    return [q for _, q in BANDS].index(quality)
