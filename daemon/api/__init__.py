"""The HTTP API: a table of routes over the backend's port."""

from daemon.api.app import build_app, build_runner
from daemon.api.auth import Role, Token
from daemon.api.settings import ApiSettings

__all__ = ["ApiSettings", "Role", "Token", "build_app", "build_runner"]
