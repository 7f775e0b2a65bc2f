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


Bands = tuple[tuple[int, Quality], ...]


def bands(excellent: int, good: int, poor: int) -> Bands:
    """Bands that begin at other scores than ``BANDS``; each is higher than the next."""
    return ((excellent, Quality.EXCELLENT), (good, Quality.GOOD), (poor, Quality.POOR), (0, Quality.CRITICAL))


def band(score: int, of: Bands = BANDS) -> Quality:
    """The band of a score from 0 to 100, without a history."""
    return next((quality for least, quality in of if score >= least), Quality.CRITICAL)


def quality(score: int, previous: Quality | None = None, of: Bands = BANDS, margin: int = MARGIN) -> Quality:
    """The quality of a session that had ``previous``: another band only if the score is ``margin`` points into it.

    Without a history the plain band counts.
    """
    now = band(score, of)
    if previous is None:
        return now
    if _order(now) < _order(previous):
        return min(band(score - margin, of), previous, key=_order)
    return max(band(score + margin, of), previous, key=_order)


def _order(quality: Quality) -> int:
    return list(Quality).index(quality)
