"""Which Host headers are served.  Pure.

A web page can give its own name the address 127.0.0.1 (DNS rebinding) and then talk to this API as if it were
its own origin; its requests still carry its name in the Host header.
"""

import re
from collections.abc import Collection

from config.rules import is_loopback

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::[0-9]{1,5})?", re.ASCII)


def host_of(header: str) -> str | None:
    """The host of a Host header without port and brackets, in lower case, or None if it has no valid form."""
    match = _HOST.fullmatch(header)
    if match is None:
        return None
    host: str = match[1] or match[2]
    return host.lower().rstrip(".")


def host_allowed(header: str | None, listen: str, configured: Collection[str]) -> bool:
    """Whether to serve a request with this Host header.

    Listening off loopback, the names by which a daemon is reached are not known, and a rebinding page gains
    nothing that it could not reach directly: everything is served there.
    """
    if not is_loopback(listen):
        return True
    host = host_of(header or "")
    if host is None:
        return False
    return is_loopback(host) or host == listen.lower() or host in {name.lower() for name in configured}
