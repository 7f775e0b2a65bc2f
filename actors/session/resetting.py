"""An auth state that WhatsApp threw out is deleted, because somebody wants to pair the device again."""

from actors.session.causes import Cause
from actors.session.draft import Draft
from actors.session.effects import DropLink, ResetAuth
from actors.session.inputs import connector
from actors.session.state import Goal
from actors.session.vocabulary import State


def begin(d: Draft, ref: str | None) -> None:
    """Delete an auth state that is worthless; what comes next is decided when that is done."""
    if not d.s.link or d.s.connected:
        message = "the connector is busy or being started; try again"
        d.fail_waiters("unavailable", message)
        if ref is not None:
            d.answer(ref, "unavailable", message)
        return
    if ref is not None:
        d.answer(ref, message="the auth state is deleted; pair the device again")
    if not d.s.resetting:
        d.set(resetting=True)
        d.emit(ResetAuth())


def done(d: Draft, event: connector.AuthReset) -> None:
    """The connector has deleted it, or could not."""
    if not d.s.resetting:
        return
    d.set(resetting=False)
    if event.error == "fenced":
        d.emit(DropLink())  # main has had the auth state meanwhile: the next link says what came of it
    if event.error is not None:
        d.fail_waiters("unavailable", f"the auth state could not be deleted: {event.error}")
        return
    d.set(stale_auth=False, paired=False, me=None, verdict=None)
    d.forget_failures()
    if d.s.state is State.STOPPED:
        d.fail_waiters("refused", Cause.OPERATOR_STOP.sentence)
        return
    if d.s.connected:
        # One that nobody wanted came up meanwhile: first its end.
        d.fail_waiters("unavailable", "a connection is being closed; try again")
        d.close(Goal.REOPEN)
        return
    d.rest_unpaired()
    if d.s.waiters:
        d.open_pairing()
