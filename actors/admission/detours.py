"""The proxies of one host's sessions: through what each goes, and which proxy does not work.

Of a proxy that fails for many one session at a time tries, as in an outage of the whole fleet (``outage.py``), and all
others of it wait: attempts that can't succeed take no slots from who goes another way.  Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from actors.admission.outage import Outage
from actors.admission.ways import Way


@dataclass(frozen=True, slots=True)
class Proxy:
    """What admission has to know of a session's proxy."""

    name: str
    rate: float | None
    """Connects per second; None: no bound but that of the fleet."""
    sessions: int
    """How many of this host go through it."""
    mark: str = ""
    """Tells it, with its address, from every other one, also from what had its name before."""


@dataclass(slots=True)
class _Trouble:
    mark: str
    """Of the proxy that it is about; one with another address has none."""
    failing: set[str] = field(default_factory=set)
    outage: Outage = field(default_factory=Outage)


class Detours:
    """``proxy_of`` says through what a session goes; None: straight from this machine."""

    def __init__(self, proxy_of: Callable[[str], Proxy | None] = lambda _: None) -> None:
        self._proxy_of = proxy_of
        self._troubles: dict[str, _Trouble] = {}

    def way(self, session: str, fleet: float, share: float = 1.0) -> Way | None:
        """Its way, with its bound: the proxy's, of which this host has ``share`` (0-1), at most that of the fleet."""
        proxy = self._proxy_of(session)
        if proxy is None:
            return None
        rate = fleet if proxy.rate is None else min(fleet, proxy.rate * share)
        trouble = self._of(session)
        return Way(proxy.name, rate, trouble.outage.wait() if trouble is not None and trouble.outage.on else 0.0)

    def due(self, session: str, now: float) -> float:
        """When its proxy may be tried next, for all that this host knows."""
        trouble = self._of(session)
        return now if trouble is None or not trouble.outage.on else trouble.outage.due(now)

    def failed(self, session: str, cause: str, now: float, wall: float) -> None:
        """Its proxy failed."""
        proxy = self._proxy_of(session)
        if proxy is None:
            return
        trouble = self._of(session)
        if trouble is None:
            trouble = self._troubles[proxy.name] = _Trouble(proxy.mark)
        trouble.failing.add(session)
        trouble.outage = trouble.outage.failed(cause, len(trouble.failing), proxy.sessions, now, wall)

    def probed(self, session: str, now: float) -> None:
        """It tries now."""
        trouble = self._of(session)
        if trouble is not None and trouble.outage.on:
            trouble.outage = trouble.outage.probed(now)

    def passed(self, session: str) -> bool:
        """It got through its proxy; whether that did not work before."""
        proxy, trouble = self._proxy_of(session), self._of(session)
        if proxy is None or trouble is None:
            return False
        del self._troubles[proxy.name]
        return trouble.outage.on

    def moved(self) -> list[str]:
        """Forgets the troubles of proxies that have another address now; of each that was held a session behind it."""
        found = []
        for name, trouble in list(self._troubles.items()):
            if (session := self._moved_behind(name, trouble)) is not None:
                del self._troubles[name]
                found += [session] if trouble.outage.on else []
        return found

    def _moved_behind(self, name: str, trouble: _Trouble) -> str | None:
        """A session that failed at a proxy and goes through it still, at another address."""
        for session in sorted(trouble.failing):
            proxy = self._proxy_of(session)
            if proxy is not None and proxy.name == name and proxy.mark != trouble.mark:
                return session
        return None

    def hurried(self, session: str, now: float) -> None:
        """Somebody wants it to try now."""
        trouble = self._of(session)
        if trouble is not None:
            trouble.outage = trouble.outage.hurried(now)

    def forget(self, session: str) -> None:
        """The session is no more."""
        for trouble in self._troubles.values():
            trouble.failing.discard(session)

    def failing(self) -> list[str]:
        """The proxies that do not work, by name."""
        troubles = self._troubles.items()
        return sorted(name for name, it in troubles if it.outage.on and self._moved_behind(name, it) is None)

    def _of(self, session: str) -> _Trouble | None:
        proxy = self._proxy_of(session)
        trouble = None if proxy is None else self._troubles.get(proxy.name)
        return trouble if proxy is not None and trouble is not None and trouble.mark == proxy.mark else None
