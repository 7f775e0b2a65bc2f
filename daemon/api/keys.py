"""What travels with the application and with a request."""

from aiohttp import web

from daemon.api.auth import TokenBook
from daemon.api.limits import Limiter
from daemon.api.settings import ApiSettings
from daemon.backend import Backend
from daemon.metrics.exporter import Exporter

BACKEND = web.AppKey("backend", Backend)
SETTINGS = web.AppKey("settings", ApiSettings)
EXPORTER = web.AppKey("exporter", Exporter)
TOKENS = web.AppKey("tokens", TokenBook)
LIMITER = web.AppKey("limiter", Limiter)
DOCUMENT = web.AppKey("document", bytes)

REQUEST_ID = web.RequestKey("request_id", str)
WHO = web.RequestKey("who", str)
