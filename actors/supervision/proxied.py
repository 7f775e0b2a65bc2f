"""Who of a shard's sessions has to be told of another proxy.

Word of it may get lost like every message.  So each sample of a session says by which proxy it goes, and one that goes
by another than it should is told again.
"""

from actors.messages.plans import ProxyPlan


class Proxied:
    """What the actors of the sessions know, as far as their shard can tell."""

    def __init__(self) -> None:
        self._known: dict[str, ProxyPlan | None] = {}

    def starts(self, session: str, proxy: ProxyPlan | None) -> None:
        """Its actor is started with that."""
        self._known[session] = proxy

    def forget(self, session: str) -> None:
        """The session is no more."""
        self._known.pop(session, None)

    def tells(self, session: str, proxy: ProxyPlan | None) -> bool:
        """Whether it has to be told that this is its proxy; from then on it is taken to know."""
        if self._known.get(session) == proxy:
            return False
        self._known[session] = proxy
        return True

    def missed(self, session: str, follows: str | None, proxy: ProxyPlan | None) -> bool:
        """Whether it has to be told again: its sample says that it ``follows`` another mark; None: no proxy.

        A sample from before it heard leads to a word too many, which changes nothing.
        """
        return session in self._known and follows != (None if proxy is None else proxy.mark)
