"""What the API answers about recovery."""

from daemon.api.fields import Time
from daemon.api.models import Response


class RecoveryPause(Response):
    """A pause of recovery: the sessions that it covers are not connected by wavigil itself."""

    id: int
    session_id: str | None
    """The one session that it covers."""
    labels: dict[str, str]
    """Sessions with all of these are covered."""
    all: bool
    """All sessions are covered."""
    at: Time
    until: Time | None
    """When it ends by itself; null: when it is ended."""
    who: str
    """Name of the token that it was made with."""
    reason: str
    sessions: int
    """How many sessions it covers now."""


class RecoveryPauses(Response):
    """The pauses in effect, oldest first."""

    pauses: list[RecoveryPause]
