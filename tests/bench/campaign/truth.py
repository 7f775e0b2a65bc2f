"""What a campaign did, and what was seen of it: values that can be written down, read again and judged.

All times are seconds since 1970, of one machine.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Struck:
    """Ground truth: one trouble, and how long its sessions were left to it."""

    number: int
    kind: str
    sessions: tuple[str, ...]
    """Those that may be seen to suffer from it; none for a service."""
    at: float
    until: float
    """From here on its sessions have to be well again and quiet; or the campaign gave up on them."""
    ends: float
    """When the world stopped refusing: at once, for most."""
    operator_at: float | None = None
    """When the operator did what the cause asks for; nothing may be tried before."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A session's transition, as its shard's outbox has it."""

    session: str
    at: float
    state: str
    previous: str
    cause: str | None
    resumed: bool = False
    """Nothing happened: a new actor goes on where another one stopped."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict of health on an open session."""

    session: str
    at: float
    liveness: str


@dataclass(frozen=True, slots=True)
class Acted:
    """Something that recovery did, from its ledger."""

    session: str
    at: float
    strategy: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A process of the tree ended and another one took its place."""

    number: int
    """Of the trouble that this was looked up for."""
    noticed: float | None
    """When its supervisor saw it; None: nobody told."""
    back: float | None
    """When another one was seen to run; None: not in time."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Something that a daemon should have stored and that is not there."""

    sentence: str
    session: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What HTTP showed of a session when its trouble was over, or had come to rest."""

    number: int
    session: str
    at: float
    status: str


Seen: TypeAlias = Moved | Judged | Acted | Ended | Shown | Lost
Entry: TypeAlias = Struck | Seen
_TYPES: Final[dict[str, type[Any]]] = {
    type.__name__.lower(): type for type in (Struck, Moved, Judged, Acted, Ended, Shown, Lost)
}


def write(path: Path, entries: Iterable[Entry]) -> None:
    """A JSON line an entry."""
    with path.open("w", encoding="utf-8") as file:
        for entry in entries:
            file.write(json.dumps({"what": type(entry).__name__.lower(), **asdict(entry)}) + "\n")


def read(path: Path) -> Iterator[Entry]:
    """What was written.  Raises ValueError, KeyError or TypeError for what was not."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            values = json.loads(line)
            entry = _TYPES[values.pop("what")](**values)
            yield replace(entry, sessions=tuple(entry.sessions)) if isinstance(entry, Struck) else entry
