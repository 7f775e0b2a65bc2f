"""The actor and its link: what it takes over from the actor before, and what becomes of a connection without a link."""

from actors.session import endings, proxying, renewal
from actors.session.causes import Cause
from actors.session.draft import QUEUE_WATCH_S, WATCH_S, Draft
from actors.session.effects import CloseConnection, DropLink
from actors.session.inputs import connector, host
from actors.session.state import Goal, Purpose, Saved, Trouble
from actors.session.vocabulary import AT_REST, State

SETTLE_S = 0.1
"""Seconds in which a ``closed`` that nobody saw arrives on a new link."""


def resumed(d: Draft, event: host.Resumed) -> None:
    """The actor begins where the one before ended: a stop and a verdict hold on."""
    if d.s.resumed:
        return
    saved = event.saved or Saved()
    stopped = saved.state is State.STOPPED if event.enabled is None else not event.enabled
    d.set(
        resumed=True,
        trouble=saved.trouble,
        verdict=saved.verdict,
        attempt=saved.attempt,
        refusals=saved.refusals,
        restarts=saved.restarts,
        stale_auth=saved.stale_auth,
        me=saved.me,
        down_since=d.now if saved.down_since is None else saved.down_since,
        replaced=saved.replaced,
        paused_until=event.paused_until,
    )
    if stopped:
        d.move(State.STOPPED, resumed=saved.state is State.STOPPED)
    elif saved.verdict and (saved.stale_auth or saved.verdict.until is None or saved.verdict.until > d.now):
        d.set(trouble=saved.verdict.trouble)
        d.move(saved.verdict.state, resumed=saved.state is saved.verdict.state)
        d.await_end_of_ban()
    d.set(since=saved.since if d.s.state is saved.state else d.now)


def link_up(d: Draft, event: host.LinkUp) -> None:  # noqa: C901 - one case a line
    """There is a link: what the connector says is compared with what the session knows and wants."""
    if d.s.link:
        link_down(d, host.LinkDown())
    live = event.phase != "idle"
    released = renewal.found(d, event.replaced)
    deleted = d.s.stale_auth and not event.paired
    d.set(link=True, connected=live, paired=event.paired, me=event.me or d.s.me)
    d.set(can_proxy=event.can_proxy, proxied=event.proxied)
    if deleted:
        d.set(stale_auth=False)
    if d.s.verdict is not None and d.s.verdict.trouble.cause is Cause.PROXY_UNUSABLE:
        proxying.relieve(d)
        if d.s.state not in AT_REST:
            return
    if released and d.s.state is not State.STOPPED:
        d.connect()
    elif d.s.state in AT_REST:
        if live:
            d.emit(CloseConnection())
        elif deleted and d.s.state is State.HALTED:
            # The actor before ended between the deletion of the auth state and its own report of it.
            d.rest_unpaired()
    elif live:
        _adopt(d, event)
    elif not d.s.paired:
        d.rest_unpaired()
    elif d.s.due and event.fresh and d.s.state is State.WAITING:
        d.connect()
    elif d.s.state in {State.STARTING, State.PAIRING} or d.s.due:
        # Also when it was paired, and the connector died between committing that and telling it.
        d.arm(Purpose.SETTLE, SETTLE_S)


def _adopt(d: Draft, event: host.LinkUp) -> None:
    """Go on with a connection that outlived its link, unless it goes a way that was changed meanwhile."""
    d.set(due=False, verdict=None, ordered=False)
    if proxying.is_astray(d.s):
        d.set(ordered=True)
        d.close(Goal.REOPEN)
        return
    if event.phase == "open":
        d.set(paired=True, opened_at=event.opened_at or d.now)
        d.move(State.OPEN)
        return
    if event.phase == "pairing" or not event.paired:
        d.move(State.PAIRING)
        if event.qr is not None:
            d.show_qr(event.qr, event.qr_expires_at)
    else:
        d.move(State.CONNECTING)
    d.arm(Purpose.WATCH, QUEUE_WATCH_S if event.phase == "queued" else WATCH_S)


def link_down(d: Draft, _event: host.LinkDown) -> None:
    """The link is lost, and with it what was known of a connection."""
    _lose_link(d, Trouble(Cause.CONNECTOR_LOST))


def connector_faulty(d: Draft, event: host.ConnectorFaulty) -> None:
    """Told before the end of the link, after it, or instead of a link; an operator is shown it in each case."""
    trouble, before = Trouble(Cause.CONNECTOR_FAULTY, reason=event.fault, message=event.sentence), d.s.trouble
    _lose_link(d, trouble)
    if d.s.trouble == trouble or d.s.state in AT_REST | {State.CLOSING}:
        return  # it was told right now, or before; or it is not what the session rests for
    if d.s.state is State.STARTING:
        d.set(due=True)
        d.move(State.WAITING, trouble)
    elif d.s.due or d.s.state is State.PAIRING or (before is not None and before.cause is Cause.CONNECTOR_LOST):
        d.move(d.s.state, trouble)


def _lose_link(d: Draft, trouble: Trouble) -> None:
    connected, goal = d.s.connected, d.s.goal
    d.set(link=False, resetting=False)
    d.fail_waiters("unavailable", trouble.cause.sentence)
    if d.s.timer and d.s.timer.purpose is Purpose.SETTLE:
        d.disarm()
    if d.s.state is State.CLOSING and goal is not None:
        endings.closed_for(d, goal, trouble)
    elif connected and d.s.state not in AT_REST:
        endings.ended(d, trouble)
    d.set(connected=False)


def move(d: Draft, _event: host.Move) -> None:
    """A connection is closed first; what then comes, and what comes without one, goes over the next link."""
    if d.s.state is State.CLOSING:
        # What it is closed for comes first; a link to a process that is about to end is lost soon in any case.
        d.set(goal=Goal.MOVE if d.s.goal in {Goal.REOPEN, Goal.HEAL} else d.s.goal)
    elif d.s.connected and d.s.state not in AT_REST:
        d.close(Goal.MOVE)
    elif d.s.link:
        d.emit(DropLink())


def superseded(d: Draft, _event: connector.Superseded) -> None:
    """A newer actor has the link."""
    d.retire()
