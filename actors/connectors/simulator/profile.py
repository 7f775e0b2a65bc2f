"""The profile that a session's ``hello`` may bring: how its simulated server behaves, and what will go wrong when."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from actors.connectors.fields import BadField, Fields
from actors.connectors.rating import Rating, read_rating
from actors.connectors.simulator.faults import Fault, read_fault

PHONE_DIGITS = (5, 15)
"""Shortest and longest phone number (E.164 allows 15 digits)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a script."""

    after_s: float
    """Seconds since the session's first link in this process."""
    fault: Fault
    repeat_s: float | None = None
    """Seconds from one to the next; None: it happens once."""

    def next_after(self, elapsed: float) -> float | None:
        """The first moment of this step later than ``elapsed``, in seconds since the first link; None if over."""
        if elapsed < self.after_s:
            return self.after_s
        if self.repeat_s is None:
            return None
        rounds = int((elapsed - self.after_s) / self.repeat_s) + 1
        due = self.after_s + rounds * self.repeat_s
        return due if due > elapsed else due + self.repeat_s


@dataclass(frozen=True, slots=True)
class Profile:
    """How the simulated server treats one session."""

    latency_ms: float = 20.0
    jitter_ms: float = 10.0
    """An answer takes latency_ms ± jitter_ms, evenly spread."""
    paired: bool = False
    """Paired from the start: the first ``open`` finds, or else makes, credentials."""
    phone: str | None = None
    """Digits; None: one derived from the seed."""
    script: tuple[Step, ...] = ()
    quality: Rating | None = None
    """How the platform rates the number at first; None: it does not."""

    @classmethod
    def read(cls, values: Any) -> "Profile":
        """Reads the map of a ``hello``; null is the default profile.  Raises BadField naming the key."""
        if values is None:
            return cls()
        wire = Fields(values, "profile")
        wire.only(("latency_ms", "jitter_ms", "paired", "phone", "script", "quality"))
        default = cls()
        return cls(
            wire.number("latency_ms", default.latency_ms, least=0),
            wire.number("jitter_ms", default.jitter_ms, least=0),
            wire.boolean("paired", False),
            read_phone(wire) if "phone" in wire else None,
            tuple(_steps(wire)),
            read_rating(wire, "quality") if "quality" in wire else None,
        )

    def next_step(self, elapsed: float) -> tuple[float, tuple[Step, ...]] | None:
        """When something is due next (seconds since the first link, after ``elapsed``), and all that is due then."""
        due = [(when, step) for step in self.script if (when := step.next_after(elapsed)) is not None]
        if not due:
            return None
        first = min(when for when, _ in due)
        return first, tuple(step for when, step in due if when == first)


def read_phone(wire: Fields, key: str = "phone") -> str:
    """The digits of a phone number.  Raises BadField."""
    phone = wire.text(key)
    if not (phone.isascii() and phone.isdigit() and PHONE_DIGITS[0] <= len(phone) <= PHONE_DIGITS[1]):
        raise BadField(wire.path(key), "expected {} to {} digits".format(*PHONE_DIGITS))
    return phone


def _steps(wire: Fields) -> Iterator[Step]:
    script = wire.get("script") if "script" in wire else ()
    if not isinstance(script, list | tuple):
        raise BadField(wire.path("script"), "expected a list of steps")
    for number, values in enumerate(script):
        step = Fields(values, wire.path(f"script[{number}]"))
        after = step.number("after_s", least=0)
        repeat = step.number_or_none("repeat_s", least=0.001)
        yield Step(after, read_fault(step, ("after_s", "repeat_s")), repeat)
