"""The past of a session."""

from typing import Any

from daemon.api import models_history
from daemon.api.auth import Role
from daemon.api.handlers import history
from daemon.api.problems import Reason
from daemon.api.requests import NoBody
from daemon.api.requests_history import HistoryQuery
from daemon.api.route import Answer, Route
from daemon.api.routes.common import SESSION

ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "GET",
        f"{SESSION}/history",
        "getHistory",
        "sessions",
        Role.VIEWER,
        "The past of a session",
        HistoryQuery,
        NoBody,
        (Answer(200, "Points in order, and the gaps between them", models_history.History),),
        (Reason.UNAVAILABLE, Reason.STORAGE_FULL),
        history.history,
        "Time in each status and quality, scores, round-trip times and counts. How long what is kept, says "
        "`health.history` of the configuration.",
    ),
)
"""One route."""
