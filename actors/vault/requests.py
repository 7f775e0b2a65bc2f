"""The vault's requests as values, and their validation: pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from actors.vault.errors import BadRequest, LimitExceeded, UnknownCommand
from actors.vault.keyring import MasterKeys

PROTOCOL: Final = 1
MAX_KEY: Final = 512
"""Bytes of a key in UTF-8."""
MAX_VALUE: Final = 3 * 1024 * 1024
"""Bytes of a value: a commit, and a page, that hold it and little else fit a frame."""
PAGE: Final = 1024 * 1024
"""Bytes of keys and values on a page of ``load``; a page has at least one entry, however large."""
_OVERHEAD: Final = 1024
_MAX_GENERATION: Final = 2**53 - 1  # what a JavaScript number holds exactly
_SESSION: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class Reserve:
    """Hands out the next generation."""

    session: str

    @property
    def weight(self) -> int:
        """Bytes it keeps busy while it waits."""
        return _OVERHEAD


@dataclass(frozen=True, slots=True)
class Claim:
    """Takes the auth state over."""

    session: str
    generation: int

    @property
    def weight(self) -> int:
        """Bytes it keeps busy while it waits."""
        return _OVERHEAD


@dataclass(frozen=True, slots=True)
class Load:
    """Reads a page of entries."""

    session: str
    generation: int
    after: bytes | None = None
    """The cursor of the page before."""

    @property
    def weight(self) -> int:
        """Bytes that its answer may have, unless its only entry is larger."""
        return PAGE


@dataclass(frozen=True, slots=True)
class Commit:
    """Writes and deletes entries, all or none."""

    session: str
    generation: int
    entries: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    deleted: frozenset[str] = field(default=frozenset(), repr=False)
    paired: bool | None = None
    """Whether the session is paired from now on; None leaves it as it is."""
    replaced: bool = False
    """Another auth state is in the place of the one before: what was held against that is void."""

    @property
    def weight(self) -> int:
        """Bytes it keeps busy while it waits."""
        size = sum(len(key) + len(value) for key, value in self.entries.items())
        return _OVERHEAD + size + sum(map(len, self.deleted))


@dataclass(frozen=True, slots=True)
class Reset:
    """Deletes all entries; the session is not paired any more."""

    session: str
    generation: int

    @property
    def weight(self) -> int:
        """Bytes it keeps busy while it waits."""
        return _OVERHEAD


Request = Reserve | Claim | Load | Commit | Reset


def parse(frame: Mapping[str, Any]) -> Request:
    """The request in a frame.  Raises BadRequest, LimitExceeded or UnknownCommand."""
    command = frame.get("cmd")
    parser = _PARSERS.get(command) if isinstance(command, str) else None
    if parser is None:
        raise UnknownCommand("the vault knows hello, reserve, claim, load, commit, reset and stats")
    return parser(frame)


def _session(frame: Mapping[str, Any]) -> str:
    session = frame.get("session")
    if not isinstance(session, str) or _SESSION.fullmatch(session) is None:
        raise BadRequest("session must be a session id")
    return session


def _generation(frame: Mapping[str, Any]) -> int:
    generation = frame.get("generation")
    if type(generation) is not int or not 1 <= generation <= _MAX_GENERATION:
        raise BadRequest("generation must be a positive integer")
    return generation


def _load(frame: Mapping[str, Any]) -> Load:
    after = frame.get("after")
    if after is not None and not isinstance(after, bytes):
        raise BadRequest("after must be the cursor of an earlier page, or null")
    return Load(_session(frame), _generation(frame), after)


def _commit(frame: Mapping[str, Any]) -> Commit:
    entries = frame.get("set", {})
    deleted = frame.get("del", [])
    paired = frame.get("paired")
    replaced = frame.get("replaced", False)
    if not isinstance(entries, dict) or not isinstance(deleted, list):
        raise BadRequest("set must be a map of text to bytes, del a list of text")
    for value in entries.values():
        if not isinstance(value, bytes):
            raise BadRequest("the values of set must be bytes")
        if len(value) > MAX_VALUE:
            raise LimitExceeded(f"a value has {len(value)} bytes, over the limit of {MAX_VALUE}")
    for key in (*entries, *deleted):
        if not isinstance(key, str):
            raise BadRequest("keys must be text")
        if len(key.encode()) > MAX_KEY:
            raise LimitExceeded(f"a key has {len(key.encode())} bytes, over the limit of {MAX_KEY}")
    if paired is not None and not isinstance(paired, bool):
        raise BadRequest("paired must be true or false")
    if not isinstance(replaced, bool):
        raise BadRequest("replaced must be true or false")
    if not entries.keys().isdisjoint(deleted):
        raise BadRequest("a key is in both set and del")
    return Commit(_session(frame), _generation(frame), entries, frozenset(deleted), paired, replaced)


def parse_keys(frame: Mapping[str, Any]) -> MasterKeys:
    """The master keys that main offers.  Raises BadRequest; their length is checked by who uses them."""
    master, previous = frame.get("master"), frame.get("previous", [])
    if master is not None and not isinstance(master, bytes):
        raise BadRequest("master must be bytes or null")
    if not isinstance(previous, list) or not all(isinstance(key, bytes) for key in previous):
        raise BadRequest("previous must be a list of bytes")
    return MasterKeys(master, tuple(previous))


_PARSERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Request]]] = {
    "reserve": lambda frame: Reserve(_session(frame)),
    "claim": lambda frame: Claim(_session(frame), _generation(frame)),
    "load": _load,
    "commit": _commit,
    "reset": lambda frame: Reset(_session(frame), _generation(frame)),
}
