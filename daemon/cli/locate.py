"""Finds the daemon and the token: by options, the environment, or the configuration that the daemon itself reads."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from daemon.cli.errors import USAGE, CliError

if TYPE_CHECKING:
    from config.loader import Loaded

URL_VARIABLE = "WAVIGIL_URL"
TOKEN_VARIABLE = "WAVIGIL_TOKEN"  # noqa: S105  # a variable's name
TOKEN_FILE = "admin.token"  # noqa: S105  # a file's name
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nothing is bound: where to reach what is bound to all


@dataclass(frozen=True, slots=True)
class Target:
    """A daemon to talk to."""

    url: str
    """Without a slash at its end."""
    token: str
    token_source: str
    """Where the token came from, for errors."""
    start: str
    """The command that starts this daemon."""
    certificate: Path | None = None
    """What an HTTPS server must show, if the configuration says so; else the system's authorities decide."""


def locate(
    *,
    url: str | None,
    token_file: Path | None,
    config: Path | None,
    environ: Mapping[str, str],
    load: Callable[[Path | None], "Loaded"],
) -> Target:
    """The daemon that the options mean.

    Raises:
        CliError: the address is none, there is no token, or the configuration is wrong.
    """
    url = url or environ.get(URL_VARIABLE) or None
    token: tuple[str, str] | None = None
    if token_file is not None:
        token = (read_token(token_file), str(token_file))
    elif environ.get(TOKEN_VARIABLE):
        token = (environ[TOKEN_VARIABLE], f"${TOKEN_VARIABLE}")
    start = "wavigil run" if config is None else f"wavigil run --config {config}"
    if url is not None and token is not None:
        return Target(check_url(url), *token, start)
    if url is not None and not _is_loopback(url):
        raise CliError(
            "a token is needed for a daemon on another machine",
            f"Give --token-file or ${TOKEN_VARIABLE}; this machine's own token is not sent there.",
            USAGE,
        )
    loaded = load(config)
    if loaded.source is not None:
        start = f"wavigil run --config {loaded.source}"
    if token is None:
        path = loaded.config.state_dir / TOKEN_FILE
        token = (read_token(path, start), str(path))
    if url is not None:
        return Target(check_url(url), *token, start)
    tls = loaded.config.http.tls
    return Target(
        address(loaded.config.http.host, loaded.config.http.port, secure=tls is not None),
        *token,
        start,
        None if tls is None else tls.certificate,
    )


def address(host: str, port: int, *, secure: bool) -> str:
    """The URL of a daemon that listens on a host and port.

    Raises:
        CliError: the port is only known to the daemon.
    """
    if port == 0:
        raise CliError("http.listen has port 0, so only the daemon's log knows its port", "Give --url.", USAGE)
    host = LOOPBACK.get(host, host)
    try:
        bracketed = f"[{host}]" if ipaddress.ip_address(host).version == 6 else host  # noqa: PLR2004  # IPv6
    except ValueError:
        bracketed = host
    return f"{'https' if secure else 'http'}://{bracketed}:{port}"


def _is_loopback(url: str) -> bool:
    host = urlsplit(check_url(url)).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str) -> str:
    """A URL of a daemon, without a slash at its end.

    Raises:
        CliError: it is none.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise CliError("the address of the daemon is no URL", "It is written like http://127.0.0.1:9470.", USAGE)
    return url.rstrip("/")


def read_token(path: Path, start: str = "") -> str:
    """The token in a file.

    Raises:
        CliError: it can't be read; the hint says what to do.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        hint = f"The daemon writes it at its first start: {start}" if start else "Look for the file's name."
        raise CliError(f"there is no token file {path}", hint) from None
    except PermissionError:
        hint = "Run as the user of the daemon (sudo -u …), or give a token of your own: --token-file or $WAVIGIL_TOKEN."
        raise CliError(f"the token file {path} may not be read by this user", hint) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CliError(f"the token file {path} can't be read: {why}") from None
    if not token or not token.isascii() or not token.isprintable():
        raise CliError(f"the token file {path} holds no token")
    return token
