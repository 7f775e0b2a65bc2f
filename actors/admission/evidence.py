"""What the end of an attempt says about the way to the server.  Pure."""

from enum import Enum

from actors.session.causes import Cause


class Evidence(Enum):
    """Of one attempt."""

    BLOCKED = "blocked"
    """The server was not reached, or refuses whoever comes: others will fail as well."""
    PASSED = "passed"
    """The server was reached and decided about this account."""
    NONE = "none"
    """It ended by what is on our side."""


_SHARED = frozenset(
    {
        *(Cause.NETWORK_UNREACHABLE, Cause.OPEN_DEADLINE, Cause.CONNECTION_LOST, Cause.CONNECTION_CLOSED),
        *(Cause.HTTP_RATE_LIMITED, Cause.HTTP_FORBIDDEN, Cause.HTTP_UNAVAILABLE, Cause.HTTP_REFUSED),
        *(Cause.SERVICE_UNAVAILABLE, Cause.CLIENT_OUTDATED, Cause.EXPERIMENTAL, Cause.GENERIC_FAILURE),
        *(Cause.BAD_FRAME, Cause.PROTOCOL_ERROR, Cause.UNKNOWN),
    }
)
_OURS = frozenset(
    {
        *(Cause.VAULT_UNAVAILABLE, Cause.CONNECTOR_LOST, Cause.CONNECTOR_RECYCLED, Cause.CONNECTOR_FAULTY),
        *(Cause.PROXY_FAILED, Cause.PROXY_UNUSABLE),  # of one proxy, which says nothing about any other way
        *(Cause.AUTH_TOO_LARGE, Cause.BACKLOG, Cause.FENCED, Cause.CRASH_LOOP, Cause.CLOSED_BY_US, Cause.OPERATOR_STOP),
        Cause.OPERATOR_RECONNECT,
    }
)


def evidence(cause: Cause) -> Evidence:
    """What it says that an attempt which had begun ended for that cause before it was open."""
    if cause in _SHARED:
        return Evidence.BLOCKED
    return Evidence.NONE if cause in _OURS else Evidence.PASSED
