"""The proxies of the configuration, as the actors need them."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping

from actors.messages import ProxyPlan
from config.loader import Loaded
from config.schema_proxies import Proxy
from daemon.backend import BackendError

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


def refuse_lost(proxies: Mapping[str, Proxy], sessions: Iterable[tuple[str, str | None]]) -> None:
    """A proxy that a session of the API names is not taken away.  Raises BackendError ``conflict``."""
    for id, name in sessions:
        if name is not None and name not in proxies:
            raise BackendError(
                "conflict",
                f"session {id!r} of the API has the proxy {name!r}, which the configuration does not have any more",
                remedy=f"Give the session another one first, or none: PATCH /api/sessions/{id}",
            )
