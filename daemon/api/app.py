"""The application: routes of the table, middlewares, and what they work with."""

import json
from typing import Any

from aiohttp import web

from daemon.api import keys, middleware, serverlog
from daemon.api.current import Current
from daemon.api.endpoint import endpoint
from daemon.api.openapi import document
from daemon.api.routes import ROUTES
from daemon.api.settings import ApiSettings
from daemon.api.statuses import Statuses
from daemon.backend import Backend
from daemon.configuration import Configuration
from daemon.metrics.exporter import Exporter

LONGEST_LINE = 80 * 1024
"""Bytes of a request line: `ids` of a bulk query may name 1,000 sessions of 63 characters."""


def build_app(
    backend: Backend, settings: ApiSettings, metrics: Exporter, configuration: Configuration | None = None
) -> web.Application:
    """The API over a backend.  Owns nothing that needs closing."""
    app = web.Application(
        client_max_size=settings.body_limit,
        middlewares=(middleware.observe, middleware.problems, middleware.guard_host),
    )
    app[keys.BACKEND] = backend
    app[keys.CURRENT] = Current(settings)
    app[keys.CONFIGURATION] = configuration
    app[keys.EXPORTER] = metrics
    app[keys.STATUSES] = Statuses()
    app[keys.DOCUMENT] = json.dumps(document(settings.version), ensure_ascii=False).encode()
    for route in ROUTES:
        app.router.add_route(route.method, route.path, endpoint(route))
    app.on_response_prepare.append(middleware.secure)
    return app


def build_runner(app: web.Application, **options: Any) -> web.AppRunner:
    """A runner with the options that the application needs; it logs access by itself, masked."""
    return web.AppRunner(app, access_log=None, logger=serverlog.logger, max_line_size=LONGEST_LINE, **options)
