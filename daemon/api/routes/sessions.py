"""The life cycle of sessions."""

from typing import Any

from daemon.api import models, requests
from daemon.api.audited import Audited
from daemon.api.auth import Role
from daemon.api.handlers import sessions
from daemon.api.problems import Reason
from daemon.api.requests import NoBody, NoQuery
from daemon.api.route import Answer, Route
from daemon.api.routes.common import ACT, CHANGE, SESSION, SESSIONS

ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "GET",
        SESSIONS,
        "listSessions",
        "sessions",
        Role.VIEWER,
        "List the sessions",
        requests.SessionsQuery,
        NoBody,
        (Answer(200, "A page, ordered by session id", models.SessionPage),),
        (),
        sessions.list_,
    ),
    Route(
        "POST",
        SESSIONS,
        "createSession",
        "sessions",
        Role.OPERATOR,
        "Add a session",
        NoQuery,
        requests.SessionCreate,
        (Answer(201, "It exists; Location leads to it", models.Session),),
        (Reason.CONFLICT, Reason.LIMIT, Reason.UNAVAILABLE, Reason.TIMEOUT),
        sessions.create,
        "The session belongs to the API: a reload of the configuration file does not touch it.",
        audited=Audited("session.add", ("connector", "labels", "enabled", "proxy")),
    ),
    Route(
        "GET",
        SESSION,
        "getSession",
        "sessions",
        Role.VIEWER,
        "One session as configured",
        NoQuery,
        NoBody,
        (Answer(200, "The session", models.Session),),
        (),
        sessions.get,
    ),
    Route(
        "PATCH",
        SESSION,
        "changeSession",
        "sessions",
        Role.OPERATOR,
        "Change a session",
        NoQuery,
        requests.SessionPatch,
        (Answer(200, "The session as changed", models.Session),),
        CHANGE,
        sessions.patch,
        audited=Audited("session.change", ("labels", "enabled", "proxy")),
    ),
    Route(
        "DELETE",
        SESSION,
        "deleteSession",
        "sessions",
        Role.OPERATOR,
        "Remove a session",
        requests.DeleteQuery,
        NoBody,
        (Answer(204, "It is gone"),),
        CHANGE,
        sessions.delete,
        "The auth state stays, and a session added with the same id goes on with it. "
        "With `purge=true`, which needs "
        "the role admin, it is deleted as well.",
        audited=Audited("session.remove", ("purge",)),
    ),
    Route(
        "POST",
        f"{SESSION}/start",
        "startSession",
        "sessions",
        Role.OPERATOR,
        "Start a stopped session",
        requests.StartQuery,
        NoBody,
        (Answer(202, "It starts", models.Session),),
        ACT,
        sessions.start,
        "One that WhatsApp blocked, or that was halted, is refused with the remedy. "
        "So is one whose keys came out of a backup, without `acceptStaleKeys=true`.",
        audited=Audited("session.start", ("accept_stale_keys",)),
    ),
    Route(
        "POST",
        f"{SESSION}/stop",
        "stopSession",
        "sessions",
        Role.OPERATOR,
        "Stop a session",
        NoQuery,
        NoBody,
        (Answer(202, "It stops", models.Session),),
        ACT,
        sessions.stop,
        "It stays stopped, over restarts of the daemon too, until it is started.",
        audited=Audited("session.stop"),
    ),
    Route(
        "POST",
        f"{SESSION}/logout",
        "logoutSession",
        "sessions",
        Role.ADMIN,
        "Unlink a session from its phone",
        NoQuery,
        NoBody,
        (Answer(202, "It logs out", models.Session),),
        ACT,
        sessions.logout,
        "Removes the device at the server and deletes the auth state; the session must be paired again.",
        audited=Audited("session.logout"),
    ),
)
