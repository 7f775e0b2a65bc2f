"""What operators may ask of a session, and what they are told."""

from actors.session import renewal, resetting
from actors.session.causes import explain
from actors.session.draft import Draft
from actors.session.effects import DropLink
from actors.session.inputs import operators
from actors.session.state import Goal, Waiter
from actors.session.vocabulary import State

MAX_WAITERS = 16
"""Requests for one QR at the same time."""


def handle(d: Draft, command: operators.Command) -> None:
    """Carry out a command, or say why not.  Each is answered exactly once, some of them later."""
    if d.s.retired or not d.s.resumed:
        d.answer(command.ref, "unavailable", "the session's actor is being started or replaced")
        return
    match command:
        case operators.Start():
            _start(d, command)
        case operators.Stop():
            _stop(d, command)
        case operators.Reconnect():
            _reconnect(d, command)
        case operators.Heal():
            _heal(d, command)
        case operators.Logout():
            _logout(d, command)
        case operators.PairingRequested():
            _pair(d, Waiter(command.ref))
        case operators.PairingCodeRequested():
            _pair(d, Waiter(command.ref, command.phone))
        case operators.AuthTaken():
            _auth_taken(d, command)


def _start(d: Draft, command: operators.Start) -> None:
    if d.s.state is State.CLOSING:
        if d.s.goal is Goal.STOP:
            d.set(goal=Goal.REOPEN, ordered=True)
    elif d.s.state in {State.BLOCKED, State.HALTED} and not d.s.stale_auth:
        _refuse(d, command.ref)
        return
    elif d.s.state in {State.STOPPED, State.BLOCKED, State.HALTED}:
        if d.s.verdict:
            # The stop is undone, the verdict is not.
            d.convict(d.s.verdict)
        if d.s.stale_auth:
            resetting.begin(d, command.ref)
            return
        if not d.s.verdict:
            d.forget_failures()
            d.set(ordered=True)
            d.connect()
    d.answer(command.ref)


def _stop(d: Draft, command: operators.Stop) -> None:
    if d.s.state is State.CLOSING:
        d.set(goal=Goal.STOP)
    elif d.s.connected and d.s.state not in {State.STOPPED, State.BLOCKED, State.HALTED}:
        d.close(Goal.STOP)
    else:
        d.rest_stopped()
    d.answer(command.ref)


def _reconnect(d: Draft, command: operators.Reconnect) -> None:
    if d.s.state is State.STOPPED or d.s.goal is Goal.STOP:
        d.answer(command.ref, "refused", "the session is stopped; start it first")
        return
    if d.s.stale_auth:
        resetting.begin(d, command.ref)
        return
    if d.s.state is State.PAIRING and not d.s.paired:
        d.answer(command.ref, "conflict", "the session is not paired; ask for a QR or a pairing code")
        return
    if d.s.state is State.OPEN:
        d.set(ordered=True)
        d.close(Goal.REOPEN)
    elif d.s.state in {State.WAITING, State.BLOCKED, State.HALTED}:
        d.forget_failures()
        d.set(ordered=True)
        d.connect()
    d.answer(command.ref)


def _heal(d: Draft, command: operators.Heal) -> None:
    """Only of a connection that is open: everything else is being taken care of, or nobody's but an operator's."""
    if d.s.state is not State.OPEN:
        d.answer(command.ref, "not_open", f"the session is {d.s.state}")
        return
    d.set(healing=command.cause, attempt=d.s.attempt + 1, planned_by="recovery", ordered=True)
    d.close(Goal.HEAL)
    d.answer(command.ref)


def _logout(d: Draft, command: operators.Logout) -> None:
    if d.s.state is State.OPEN:
        d.set(logout_ref=command.ref)
        d.log_out()
    elif d.s.state is State.CLOSING:
        d.answer(command.ref, "conflict", "the connection is being closed")
    elif d.s.stale_auth and d.s.state is not State.STOPPED:
        resetting.begin(d, command.ref)
    else:
        d.answer(command.ref, "not_open", "only an open session can be logged out")


def _pair(d: Draft, waiter: Waiter) -> None:
    if d.s.state in {State.STOPPED, State.BLOCKED} or (d.s.state is State.HALTED and not d.s.stale_auth):
        _refuse(d, waiter.ref)
    elif len(d.s.waiters) >= MAX_WAITERS:
        d.answer(waiter.ref, "limit", "too many ask for a QR at the same time")
    elif d.s.state is State.HALTED:
        d.set(waiters=(*d.s.waiters, waiter))
        resetting.begin(d, None)
    elif d.s.state is State.PAIRING and not d.s.paired:
        if d.s.qr is not None:
            d.hand_out(waiter)
            return
        d.set(waiters=(*d.s.waiters, waiter))
        if not d.s.link:
            d.fail_waiters("unavailable", "the connector is being started; try again")
        elif not d.s.connected:
            d.open_pairing()
    elif d.s.paired or d.s.state is State.OPEN:
        d.answer(waiter.ref, "conflict", "the session is paired; log it out first")
    else:
        d.answer(waiter.ref, "unavailable", "the connector is being started; try again")


def _auth_taken(d: Draft, command: operators.AuthTaken) -> None:
    """The link gets a generation of its own again; what was held against another device is void."""
    if d.s.state is not State.STOPPED:
        d.answer(command.ref, "conflict", "the session is not stopped")
        return
    if command.replaced:
        renewal.renew(d)
    if d.s.link:
        d.emit(DropLink())
    d.answer(command.ref)


def _refuse(d: Draft, ref: str) -> None:
    if d.s.state is State.STOPPED:
        d.answer(ref, "refused", "the session is stopped; start it first")
        return
    trouble = d.s.verdict.trouble if d.s.verdict else None
    told = f"{explain(trouble.cause, trouble.data)} {trouble.cause.remedy}" if trouble else "the session is halted"
    d.answer(ref, "refused", told)
