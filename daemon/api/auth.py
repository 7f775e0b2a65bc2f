"""Bearer tokens (RFC 6750) and their roles."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum


class Role(IntEnum):
    """What a token may do; each role may do what the ones below it may."""

    VIEWER = 1
    """Sees states, scores and metrics; no personal data and nothing that pairs a phone."""
    OPERATOR = 2
    """Acts on sessions: adds, pairs, sends, reconnects, starts, stops, removes; their auth states stay."""
    ADMIN = 3
    """Also decides over auth states: logs out, purges; reads the audit log."""

    @property
    def label(self) -> str:
        """The name in configuration, documents and errors."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Token:
    """A token as configured.  Its value does not show in repr."""

    name: str
    """For the audit log and for limits; unique."""
    role: Role
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks."""

    name: str
    role: Role


class TokenBook:
    """The tokens that are valid.

    Keeps digests only, so that a dump of the process's objects shows no token.
    """

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._entries = [(_digest(token.value), Identity(token.name, token.role)) for token in tokens]

    def identify(self, value: str) -> Identity | None:
        """Whose token this is.

        Takes the same time for every wrong value: all digests are compared, all in constant time.
        """
        offered = _digest(value)
        found: Identity | None = None
        for digest, identity in self._entries:
            if hmac.compare_digest(digest, offered):
                found = identity
        return found


def bearer(authorization: str | None) -> str | None:
    """The token of an `Authorization` header, or None when there is none.

    The scheme's case does not matter (RFC 9110, 11.1).
    """
    scheme, _, value = (authorization or "").strip().partition(" ")
    value = value.strip()
    return value if scheme.lower() == "bearer" and value else None


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode(errors="surrogateescape")).digest()
