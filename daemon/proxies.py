"""The proxies of the configuration, as the actors need them."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping

from actors.messages.plans import ProxyPlan
from config.loader import Loaded
from config.schema_proxies import Proxy
from daemon.backend import BackendError, SessionRecord

_KEY = secrets.token_bytes(32)
"""Of this process alone: a mark is compared while it runs, and tells nobody a password."""


def proxies_of(loaded: Loaded) -> dict[str, Proxy]:
    """Those that the configuration names."""
    return {proxy.name: proxy for proxy in loaded.config.proxies}


def proxy_plan(proxies: Mapping[str, Proxy], name: str | None) -> ProxyPlan | None:
    """The proxy of that name; one that the configuration does not know leads nowhere."""
    if name is None:
        return None
    if (proxy := proxies.get(name)) is None:
        return ProxyPlan(name)
    mark = hmac.new(_KEY, proxy.url.reveal().encode(), hashlib.sha256).hexdigest()[:16]
    return ProxyPlan(name, proxy.url, f"{name}.{mark}", proxy.connects_per_second)


def refuse_unknown(proxies: Mapping[str, Proxy], name: str | None) -> None:
    """A session may only name what the configuration has.  Raises BackendError ``invalid``."""
    if name is not None and name not in proxies:
        known = f"there are {', '.join(proxies)}" if proxies else "there is none"
        raise BackendError("invalid", f"the configuration has no proxy {name!r}; {known}")


def refuse_lost(proxies: Mapping[str, Proxy], records: Iterable[SessionRecord]) -> None:
    """A proxy that a session has over the API is not taken away.  Raises BackendError ``conflict``."""
    for record in records:
        if record.proxy is not None and record.proxy not in proxies:
            of_file = record.origin == "file"
            raise BackendError(
                "conflict",
                f"session {record.id!r}{'' if of_file else ' of the API'} has the proxy {record.proxy!r}"
                f"{' over the API' if of_file else ''}, which the configuration does not have any more",
                remedy="Name another one for it in the file, or proxy: null."
                if of_file
                else f"Keep it until the session has another one, or none: PATCH /api/sessions/{record.id}",
            )
