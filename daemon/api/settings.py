"""What the API is told at its start."""

from dataclasses import dataclass, replace

from config.schema_http import Http
from daemon.api.auth import Role, Token


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """All settings of the HTTP API.  Limits are per token."""

    host: str = "127.0.0.1"
    """The address listened on."""
    tokens: tuple[Token, ...] = ()
    hosts: tuple[str, ...] = ()
    """Further names that a Host header may carry while listening on loopback; without port."""
    version: str = "0"
    rate: float = 50.0
    """Requests a second."""
    burst: int = 100
    """Requests at a stroke."""
    concurrency: int = 32
    """Requests at once; sends and pairings that wait count."""
    body_limit: int = 64 * 1024
    """Bytes of a request's body."""


def api_settings(http: Http, base: ApiSettings) -> ApiSettings:
    """The settings with tokens and limits of a configuration; the first token, which is not of the file, stays."""
    own = [Token(token.name, Role[token.role.upper()], token.token.reveal()) for token in http.tokens]
    return replace(
        base,
        tokens=(base.tokens[0], *own),
        rate=http.requests_per_second,
        burst=max(1, round(http.requests_per_second * 2)),
        concurrency=http.max_concurrent,
        body_limit=http.max_body,
    )
