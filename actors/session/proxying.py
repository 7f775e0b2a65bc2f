"""The proxy of a session: all of its connections go through it, and none is ever opened past it."""

from typing import TYPE_CHECKING

from actors.session.causes_table import Cause
from actors.session.state import Goal, SessionState, Trouble, Verdict
from actors.session.vocabulary import AT_REST, State

if TYPE_CHECKING:
    from actors.session.draft import Draft
    from actors.session.inputs import host


def obstacle(state: SessionState) -> Trouble | None:
    """Why no connection can be opened with the proxy that is wanted, over the link that there is; None if it can."""
    proxy = state.proxy
    if proxy is None or (proxy.known and state.can_proxy):
        return None
    if not proxy.known:
        why, sentence = "unknown", f"the configuration has no proxy {proxy.name}"
    else:
        why, sentence = "unsupported", f"the connector can't connect through a proxy, which {proxy.name} is"
    return Trouble(Cause.PROXY_UNUSABLE, reason="proxy", message=sentence, data={"proxy": why, "name": proxy.name})


def halts(d: "Draft") -> bool:
    """Halt the session, and say so to who waits for a QR, if its connection can't be opened."""
    trouble = obstacle(d.s)
    if trouble is None:
        return False
    d.fail_waiters("refused", f"{trouble.cause.sentence} {trouble.cause.remedy}")
    d.convict(Verdict(State.HALTED, trouble))
    return True


def is_astray(state: SessionState) -> bool:
    """Whether the connection that there is goes another way than it should."""
    return state.connected and state.proxied != (None if state.proxy is None else state.proxy.mark)


def changed(d: "Draft", event: "host.ProxyChanged") -> None:
    """Another proxy, none any more, or the same one somewhere else: a connection moves over at once."""
    if event.proxy == d.s.proxy:
        return
    d.set(proxy=event.proxy)
    if not d.s.resumed:
        return
    if d.s.verdict is not None and d.s.verdict.trouble.cause is Cause.PROXY_UNUSABLE:
        relieve(d)
    elif d.s.state in AT_REST | {State.CLOSING}:
        return
    elif is_astray(d.s):
        d.set(ordered=True)
        d.close(Goal.REOPEN)
    elif d.s.state is State.WAITING and d.s.trouble is not None and d.s.trouble.cause is Cause.PROXY_FAILED:
        d.forget_failures()
        d.connect()


def relieve(d: "Draft") -> None:
    """What the session was halted for may be over; a stopped one forgets it, but stays stopped."""
    if d.s.link and obstacle(d.s) is not None:
        return
    if d.s.state is State.STOPPED:
        d.set(verdict=None)
    elif d.s.link and not d.s.connected:
        d.forget_failures()
        d.connect()
