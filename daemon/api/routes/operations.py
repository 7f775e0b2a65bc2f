"""What operations and monitoring need."""

from typing import Any

from daemon.api import models, models_supervision, requests
from daemon.api.audited import Audited
from daemon.api.auth import Role
from daemon.api.handlers import operations
from daemon.api.problems import Reason
from daemon.api.requests import AnyQuery, AuditQuery, InterventionsQuery, NoBody, NoQuery
from daemon.api.route import Answer, Route
from daemon.audit.deeds import RELOAD
from daemon.metrics.text import CONTENT_TYPE

ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "GET",
        "/api/supervision",
        "getSupervision",
        "operations",
        Role.VIEWER,
        "The supervision tree",
        NoQuery,
        NoBody,
        (Answer(200, "Its root", models_supervision.Tree),),
        (Reason.UNAVAILABLE, Reason.TIMEOUT),
        operations.supervision,
    ),
    Route(
        "POST",
        "/api/reload",
        "reloadConfiguration",
        "operations",
        Role.ADMIN,
        "Read the configuration file again",
        requests.ReloadQuery,
        NoBody,
        (Answer(200, "What changed", models.Reloaded),),
        (Reason.CONFIGURATION, Reason.UNAVAILABLE),
        operations.reload,
        "Sessions that did not change keep their connection. Settings in `restartNeeded` wait for the next start. "
        "With `dryRun=true` it only says what would change.",
        audited=Audited(RELOAD, ("dry_run",)),
    ),
    Route(
        "GET",
        "/api/audit",
        "getAudit",
        "operations",
        Role.ADMIN,
        "The audit log",
        AuditQuery,
        NoBody,
        (Answer(200, "A page, newest first", models.AuditPage),),
        (Reason.UNAVAILABLE, Reason.STORAGE_FULL),
        operations.audit,
        "Who paired, started, stopped, removed or changed what, from where, and how it went.",
    ),
    Route(
        "GET",
        "/api/interventions",
        "getInterventions",
        "operations",
        Role.VIEWER,
        "Manual interventions against automatic ones",
        InterventionsQuery,
        NoBody,
        (Answer(200, "Counts by action", models.Interventions),),
        (Reason.UNAVAILABLE, Reason.STORAGE_FULL),
        operations.interventions,
    ),
    Route(
        "GET",
        "/api/openapi.json",
        "getOpenapi",
        "operations",
        Role.VIEWER,
        "This document",
        NoQuery,
        NoBody,
        (Answer(200, "OpenAPI 3.1", None, ("application/json",)),),
        (),
        operations.openapi,
    ),
    Route(
        "GET",
        "/metrics",
        "getMetrics",
        "operations",
        None,
        "Metrics for Prometheus",
        AnyQuery,
        NoBody,
        (Answer(200, "Text format 0.0.4", None, (CONTENT_TYPE,)),),
        (),
        operations.metrics,
    ),
    Route(
        "GET",
        "/healthz",
        "getHealthz",
        "operations",
        None,
        "Whether the process answers",
        AnyQuery,
        NoBody,
        (Answer(200, "It does", models.Alive),),
        (),
        operations.alive,
    ),
    Route(
        "GET",
        "/readyz",
        "getReadyz",
        "operations",
        None,
        "Whether the actor system is up",
        AnyQuery,
        NoBody,
        (Answer(200, "It is", models.Ready),),
        (Reason.NOT_READY,),
        operations.ready,
    ),
)
