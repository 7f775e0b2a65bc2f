"""Every error of the API: RFC 9457 problem details, from one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from daemon.backend import BackendError

CONTENT_TYPE = "application/problem+json"


class _Kind(NamedTuple):
    status: int
    title: str
    remedy: str


class Reason(Enum):
    """What went wrong.

    HTTP status, title, and what to do about it.  The lower-case name is in the problem's type URI.
    """

    MALFORMED = _Kind(400, "The request is malformed", "Send one JSON object, encoded as UTF-8, with each key once.")
    UNAUTHENTICATED = _Kind(
        401,
        "A valid token is needed",
        "Send 'Authorization: Bearer TOKEN'; the first token is in the state directory, in admin.token.",
    )
    FORBIDDEN = _Kind(403, "The token's role is too low", "Use a token with the role that the detail names.")
    NOT_FOUND = _Kind(404, "There is no such route", "GET /api/openapi.json lists all routes.")
    UNKNOWN_SESSION = _Kind(404, "There is no such session", "GET /api/sessions lists all sessions.")
    UNKNOWN_MESSAGE = _Kind(
        404, "There is no such message", "Use the id that the POST was sent with or that it answered."
    )
    UNKNOWN_PAUSE = _Kind(404, "There is no such pause", "GET /api/recovery/pauses lists those in effect.")
    UNKNOWN_EPISODE = _Kind(
        404, "There is no such episode", "GET /api/recovery/episodes lists those that are kept (recovery.keep)."
    )
    METHOD_NOT_ALLOWED = _Kind(405, "The route has no such method", "The Allow header names the methods of this route.")
    SLOW_BODY = _Kind(408, "The body came too slowly", "Send the whole body at once.")
    CONFLICT = _Kind(409, "This contradicts the present state", "Read the present state, then decide.")
    FILE_OWNED = _Kind(
        409,
        "The configuration file owns this",
        "Change it in the file and line that the detail names, then run wavigil reload.",
    )
    NOT_PAIRING = _Kind(
        409,
        "The session is not being paired",
        "Begin with GET /api/sessions/{sessionId}/pairing; log out first if it is paired.",
    )
    NOT_OPEN = _Kind(409, "The session is not open", "GET /api/whatsapp-status/{sessionId} says why and what helps.")
    REFUSED = _Kind(
        409,
        "The session's state forbids this",
        "GET /api/whatsapp-status/{sessionId} names the cause and its remedy.",
    )
    PAYLOAD_TOO_LARGE = _Kind(413, "The body is too large", "Send a smaller body; the detail names the limit.")
    UNSUPPORTED_MEDIA_TYPE = _Kind(
        415, "The body's type is not supported", "Send JSON with the header 'Content-Type: application/json'."
    )
    MISDIRECTED = _Kind(
        421,
        "The Host header names another host",
        "Use the address that the daemon listens on; a proxy in front sets the Host header to it.",
    )
    INVALID = _Kind(422, "A value is not valid", "Correct the values that 'errors' names.")
    CONFIGURATION = _Kind(
        422,
        "The configuration can't be used",
        "Correct what 'errors' names, then reload again; nothing was changed.",
    )
    RATE_LIMITED = _Kind(429, "The token's limit is reached", "Wait for the seconds in Retry-After, then try again.")
    LIMIT = _Kind(429, "A limit of the daemon is reached", "Wait for the seconds in Retry-After, then try again.")
    INTERNAL = _Kind(500, "The daemon failed", "Its log has the cause under the requestId; please report it.")
    UNAVAILABLE = _Kind(
        503, "A part of the daemon does not answer", "It is being restarted; try again in some seconds."
    )
    NOT_READY = _Kind(503, "The daemon is not ready", "Wait until it is; the detail says for what it waits.")
    TIMEOUT = _Kind(504, "The answer did not come in time", "Try again; GET the resource to see whether it happened.")
    STORAGE_FULL = _Kind(
        507,
        "The daemon's disk is full",
        "Make room on the disk of the state directory, then try again; nothing of this request was stored.",
    )

    @property
    def slug(self) -> str:
        """The name in type URIs and documents."""
        return self.name.lower()

    @property
    def uri(self) -> str:
        """The problem's type: a relative URI reference (RFC 9457, 3.1.1), stable over versions."""
        return f"/problems/{self.slug}"

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value.status

    @property
    def title(self) -> str:
        """The same sentence for every occurrence."""
        return self.value.title

    @property
    def remedy(self) -> str:
        """What usually helps."""
        return self.value.remedy


RETRY_AFTER_SECONDS = 5
"""For problems that pass by themselves and say nothing better."""

_PASSING = frozenset({Reason.LIMIT, Reason.UNAVAILABLE, Reason.STORAGE_FULL, Reason.NOT_READY, Reason.TIMEOUT})

_BY_SLUG = {reason.slug: reason for reason in Reason}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong value.  The value itself is not repeated: it may be a secret or a phone number."""

    detail: str
    pointer: str | None = None
    """In the body: a JSON pointer as URI fragment, such as `#/labels/team`."""
    parameter: str | None = None
    """In the query: the parameter's name."""


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        remedy: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.remedy = remedy or reason.remedy
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.context = dict(context or {})
        if reason in _PASSING:
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))


def from_backend(error: BackendError) -> ProblemError:
    """The problem for an error of the backend; its details become the context."""
    context = {k: value for k, value in error.detail.items() if k not in {"remedy", "retryAfter", "parameter"}}
    wrong = [FieldError(error.message, parameter=error.detail["parameter"])] if "parameter" in error.detail else []
    headers = {}
    if "retryAfter" in error.detail:
        headers["Retry-After"] = str(max(1, round(error.detail["retryAfter"])))
    return ProblemError(
        _BY_SLUG.get(error.reason, Reason.INTERNAL),
        error.message,
        remedy=error.detail.get("remedy"),
        errors=wrong,
        headers=headers,
        context=context,
    )
