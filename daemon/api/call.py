"""What a handler gets and gives: typed values, and no HTTP library."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from daemon.api.auth import Identity, Role
from daemon.api.problems import ProblemError, Reason
from daemon.api.requests import Query, Request
from daemon.api.statuses import Statuses
from daemon.backend import Backend, SessionRecord
from daemon.configuration import Configuration
from daemon.metrics.exporter import Exporter

Q = TypeVar("Q", bound=Query)
B = TypeVar("B", bound=Request)

ANONYMOUS = Identity("anonymous", Role.VIEWER)
"""Who asks on routes that need no token."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One request, checked: the token's role suffices, query and body are valid."""

    backend: Backend
    metrics: Exporter
    configuration: Configuration | None
    """None where the daemon behind the API reads no file, as in most tests."""
    statuses: Statuses
    document: bytes
    """The OpenAPI document."""
    identity: Identity
    path: Mapping[str, str]
    query: Q
    body: B
    headers: Mapping[str, str]

    @property
    def who(self) -> str:
        """For the audit log."""
        return self.identity.name

    @property
    def session(self) -> SessionRecord:
        """The session that the path names.

        Raises:
            ProblemError: there is none.
        """
        record = self.backend.records().get(self.path["sessionId"])
        if record is None:
            # The id is not repeated: what is no session id may be a phone number.
            raise ProblemError(Reason.UNKNOWN_SESSION, "No session has the id in the path.")
        return record

    def require(self, role: Role, what: str) -> None:
        """Ask for a higher role than the route does.

        Raises:
            ProblemError: the token's role is lower.
        """
        if self.identity.role < role:
            raise forbidden(role, what)


def forbidden(role: Role, what: str) -> ProblemError:
    """The problem of a token whose role is too low (RFC 6750, 3.1)."""
    return ProblemError(
        Reason.FORBIDDEN,
        f"{what} needs a token with the role {role.label}.",
        headers={"WWW-Authenticate": f'Bearer realm="wavigil", error="insufficient_scope", scope="{role.label}"'},
        context={"role": role.label},
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers."""

    body: BaseModel | bytes | None = None
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    noted: Mapping[str, Any] = field(default_factory=dict)
    """What the audit log says beside what was asked for."""


Handler = Callable[[Call[Any, Any]], Awaitable[Reply]]
