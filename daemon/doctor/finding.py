"""What a check says.  Pure."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It runs, but something is to be expected."""
    FAIL = "fail"
    """It does not run, will stop running, or shows a secret."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence, and what helps."""

    name: str
    """Of the check, such as `open-files`."""
    level: Level
    what: str
    """What was found, with figures."""
    remedy: str = ""
    """What to do about it; empty only if the level is ok."""

    def __post_init__(self) -> None:
        if (self.level is Level.OK) != (not self.remedy):
            raise ValueError(f"{self.name}: a remedy belongs to what is wrong, and only to that")

    def to_wire(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def ok(name: str, what: str) -> Finding:
    """Nothing to do."""
    return Finding(name, Level.OK, what)


def warn(name: str, what: str, remedy: str) -> Finding:
    """To be looked at."""
    return Finding(name, Level.WARN, what, remedy)


def fail(name: str, what: str, remedy: str) -> Finding:
    """To be mended."""
    return Finding(name, Level.FAIL, what, remedy)


def worst(findings: list[Finding]) -> Level:
    """The level of them all; ok if there are none."""
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.FAIL, Level.WARN) if level in levels), Level.OK)
