"""What travels with the application and with a request."""

from aiohttp import web

from daemon.api.current import Current
from daemon.api.statuses import Statuses
from daemon.backend import Backend
from daemon.configuration import Configuration
from daemon.metrics.exporter import Exporter

BACKEND = web.AppKey("backend", Backend)
CURRENT = web.AppKey("current", Current)
CONFIGURATION = web.AppKey[Configuration | None]("configuration")
EXPORTER = web.AppKey("exporter", Exporter)
STATUSES = web.AppKey("statuses", Statuses)
DOCUMENT = web.AppKey("document", bytes)

REQUEST_ID = web.RequestKey("request_id", str)
WHO = web.RequestKey("who", str)
