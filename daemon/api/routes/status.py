"""Statuses and what is done about them."""

from typing import Any

from daemon.api import models, models_status, models_summary, requests
from daemon.api.audited import Audited
from daemon.api.auth import Role
from daemon.api.handlers import status, summary
from daemon.api.requests import NoBody, NoQuery
from daemon.api.route import Answer, Route
from daemon.api.routes.common import ACT, STATUS

ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "GET",
        f"{STATUS}/bulk",
        "listStatuses",
        "status",
        Role.VIEWER,
        "Status of many sessions",
        requests.StatusQuery,
        NoBody,
        (Answer(200, "A page, ordered by session id", models_status.SessionStatusPage),),
        (),
        status.bulk,
    ),
    Route(
        "GET",
        f"{STATUS}/health-summary",
        "getHealthSummary",
        "status",
        Role.VIEWER,
        "The fleet at a glance",
        NoQuery,
        NoBody,
        (
            Answer(
                200,
                "Counts by status, quality, liveness and cause; scores",
                models_summary.HealthSummary,
            ),
        ),
        (),
        summary.health_summary,
    ),
    Route(
        "GET",
        f"{STATUS}/{{sessionId}}",
        "getStatus",
        "status",
        Role.VIEWER,
        "Status of one session",
        NoQuery,
        NoBody,
        (Answer(200, "The status", models_status.SessionStatus),),
        (),
        status.one,
    ),
    Route(
        "POST",
        f"{STATUS}/{{sessionId}}/reconnect",
        "reconnectSession",
        "status",
        Role.OPERATOR,
        "Force a reconnection",
        NoQuery,
        NoBody,
        (Answer(202, "It is under way", models.Operation),),
        ACT,
        status.reconnect,
        "Closes the connection, if there is one, and opens a new one within the bounds of admission.",
        audited=Audited("session.reconnect"),
    ),
)
