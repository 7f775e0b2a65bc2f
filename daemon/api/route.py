"""What a route is.

Everything that the router, the OpenAPI document and the checks of a request need to know.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic

from pydantic import BaseModel

from daemon.api.audited import Audited
from daemon.api.auth import Role
from daemon.api.call import B, Call, Q, Reply
from daemon.api.problems import Reason
from daemon.api.requests import NoBody


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: its status, what it means, and the model of its body or its other media types."""

    status: int
    description: str
    model: type[BaseModel] | None = None
    media: tuple[str, ...] = ()
    """Media types beside JSON, or instead of it when there is no model."""


@dataclass(frozen=True, slots=True)
class Route(Generic[Q, B]):
    """One route."""

    method: str
    path: str
    operation: str
    """operationId: the name of the method in generated clients."""
    tag: str
    role: Role | None
    """The lowest role that may use it; None: no token is needed."""
    summary: str
    query: type[Q]
    body: type[B]
    answers: tuple[Answer, ...]
    problems: tuple[Reason, ...]
    """Beside those that every route can have (`common_problems`)."""
    handler: Callable[[Call[Q, B]], Awaitable[Reply]]
    description: str = ""
    audited: Audited | None = None
    """For what changes or reveals something."""
    longest_body: int = 0
    """Bytes that a body may have here in any case, whatever `http.max_body` says."""

    @property
    def common_problems(self) -> tuple[Reason, ...]:
        """What follows from the route's shape."""
        found = [Reason.MISDIRECTED, Reason.INTERNAL]
        if self.role is not None:
            found += [Reason.UNAUTHENTICATED, Reason.FORBIDDEN, Reason.RATE_LIMITED, Reason.INVALID]
        if self.audited is not None:
            found += [Reason.STORAGE_FULL, Reason.UNAVAILABLE]
        if self.body is not NoBody:
            found += [Reason.MALFORMED, Reason.SLOW_BODY, Reason.PAYLOAD_TOO_LARGE, Reason.UNSUPPORTED_MEDIA_TYPE]
        if "{sessionId}" in self.path:
            found.append(Reason.UNKNOWN_SESSION)
        return tuple(found)
