"""What the API is told at its start."""

from dataclasses import dataclass

from daemon.api.auth import Token


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
