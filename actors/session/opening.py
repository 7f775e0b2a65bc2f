"""A connection on its way: what the connector tells of it until it is open, or could not be opened."""

from actors.session import endings
from actors.session.draft import QUEUE_WATCH_S, WATCH_S, Draft
from actors.session.effects import CloseConnection, ReportPaired
from actors.session.inputs import connector
from actors.session.state import Purpose
from actors.session.vocabulary import AT_REST, State


def _wanted(d: Draft) -> bool:
    """Whether news is of a connection that we want and that is not open yet; one that nobody wants is closed."""
    known = d.s.connected
    d.set(connected=True)
    if d.s.state in AT_REST and not known:
        d.emit(CloseConnection())
    return d.s.state not in AT_REST | {State.CLOSING, State.OPEN}


def _under_way(d: Draft, watch_s: float) -> None:
    if not _wanted(d):
        return
    if d.s.state is not State.PAIRING:
        d.set(due=False)
        d.move(State.CONNECTING)
    d.arm(Purpose.WATCH, watch_s)


def queued(d: Draft, _event: connector.Queued) -> None:
    """It waits for admission."""
    _under_way(d, QUEUE_WATCH_S)


def connecting(d: Draft, _event: connector.Connecting) -> None:
    """It was admitted."""
    _under_way(d, WATCH_S)


def qr(d: Draft, event: connector.Qr) -> None:
    """There is no device yet: who waits for a QR gets this one."""
    if not _wanted(d):
        return
    d.set(paired=False, stale_auth=False, due=False)
    d.move(State.PAIRING)
    d.arm(Purpose.WATCH, WATCH_S)
    d.show_qr(event.qr, event.expires_at)


def paired(d: Draft, event: connector.Paired) -> None:
    """There is a device: the connection goes on to a login."""
    if _wanted(d):
        d.set(due=False)
        d.move(State.PAIRING)
        d.arm(Purpose.WATCH, WATCH_S)
    d.hide_qr()
    d.set(paired=True, stale_auth=False, timelocked=False, me=event.me or d.s.me)
    d.forget_failures()
    d.fail_waiters("conflict", "the session is paired")
    d.emit(ReportPaired(d.s.me))


def opened(d: Draft, event: connector.Opened) -> None:
    """The login succeeded: what stood against the session is over."""
    d.set(me=event.me or d.s.me)
    if not _wanted(d):
        return
    d.hide_qr()
    d.fail_waiters("conflict", "the session is paired")
    d.set(paired=True, opened_at=d.now, verdict=None, due=False, ordered=False)
    d.move(State.OPEN)


def refused(d: Draft, event: connector.OpenRefused) -> None:
    """None was begun, which is as good as its end."""
    if event.code == "busy" or not d.s.connected:
        return  # There is a connection, and it will be heard of; if not, there is the timer.
    endings.closed(d, connector.Closed(0, event.code, event.message))
