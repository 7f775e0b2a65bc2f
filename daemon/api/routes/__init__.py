"""The one table of routes, a module a subject.

The router, the OpenAPI document, the labels of metrics and the tests work from it.
"""

from typing import Any

from daemon.api.route import Route
from daemon.api.routes import auth, history, messages, operations, pairing, recovery, sessions, status

ROUTES: tuple[Route[Any, Any], ...] = (
    *status.ROUTES,
    *sessions.ROUTES,
    *history.ROUTES,
    *pairing.ROUTES,
    *auth.ROUTES,
    *messages.ROUTES,
    *recovery.ROUTES,
    *operations.ROUTES,
)
