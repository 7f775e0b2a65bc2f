"""The proxies that sessions may go through."""

import base64
import ipaddress
import re
import string
from typing import Annotated
from urllib.parse import unquote_to_bytes, urlsplit

from pydantic import Field

from config.ids import PROXY_NAME_PATTERN, check_proxy_name
from config.secrets import Secret, SecretText
from config.section import Section, Text

SCHEMES = ("http", "https", "socks5", "socks5h")
"""What the URL of a proxy begins with; the last two mean the same: the proxy looks up the names of servers."""
LONGEST_URL = 2048
LONGEST_LOGIN = 255
"""Bytes of a user name and of a password (RFC 1929)."""

_HOST = frozenset(f"{string.ascii_letters}{string.digits}-._")


def check_proxy_url(url: str) -> None:
    """Accept the URL of a proxy, ``SCHEME://[USER:PASSWORD@]HOST[:PORT]``, or say why not.

    Raises:
        ValueError: with a sentence for the operator; it repeats nothing of the URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("this is not a URL") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"it begins with {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    if not host or port == 0:
        raise ValueError("behind :// stands a host, perhaps with a user and password before it and a port behind it")
    if not _is_host(host):
        raise ValueError("its host is a name or an IP address, an IPv6 address in brackets")
    if len(url) > LONGEST_URL or not url.isascii() or any(not "!" <= character <= "~" for character in url):
        raise ValueError("it has printable ASCII characters only; in a password others are written %XX")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("nothing stands behind host and port; in a password / ? # and @ are written %2F %3F %23 %40")
    if any(len(unquote_to_bytes(text or "")) > LONGEST_LOGIN for text in (parts.username, parts.password)):
        raise ValueError(f"a user name and a password have at most {LONGEST_LOGIN} bytes")
    if any(not _decodes(text) for text in (parts.username, parts.password) if text):
        raise ValueError("in a user name and a password % is written %25")


def _is_host(host: str) -> bool:
    """Whether a URL may have it as its host, as connectors see it (https://url.spec.whatwg.org/#host-parsing)."""
    if ":" in host or re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", host.rstrip(".").rpartition(".")[2]):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True
    if not set(host) <= _HOST:
        return False
    try:
        host.encode().decode("idna")
    except UnicodeError:
        return False
    return True


def _decodes(text: str) -> bool:
    """Whether each % begins a byte, and the bytes are UTF-8."""
    if any(len(code) < 2 or not _is_hex(code[:2]) for code in text.split("%")[1:]):  # noqa: PLR2004 - two digits a byte
        return False
    try:
        unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_hex(digits: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in digits)


def secrets_in(url: str) -> tuple[str, ...]:
    """What of a proxy's URL must not be shown even by itself.

    The password as it is written and as it is meant, and the login as a proxy is told it: plain, and in the header
    Proxy-Authorization (RFC 7617).
    """
    parts = urlsplit(url)
    if not parts.password:
        return ()
    user, meant = (unquote_to_bytes(text or "").decode(errors="replace") for text in (parts.username, parts.password))
    login = f"{user}:{meant}"
    return parts.password, meant, login, base64.b64encode(login.encode()).decode()


class Proxy(Section):
    """A proxy that sessions may name; all that such a session does goes through it, and never past it."""

    name: Annotated[str, Text(check_proxy_name, "a name such as berlin-1", pattern=PROXY_NAME_PATTERN)]
    """What sessions call it."""

    url: Annotated[
        Secret, SecretText(1, check_proxy_url, "the URL of a proxy such as socks5://USER:PASSWORD@HOST:1080")
    ]
    """Where it is: http://, https:// (both CONNECT) or socks5://, best as a reference: ${NAME}, file:/path or
    credential:name."""

    connects_per_second: Annotated[float, Field(gt=0, le=1000)] | None = None
    """New connections through it, of all sessions that name it; null is no bound but that of the fleet."""
