"""The working copy that one step of the machine writes on, and the moves that all its parts share."""

from dataclasses import replace
from typing import Any

from actors.session import pausing, proxying
from actors.session.causes_table import Cause
from actors.session.effects import (
    AnswerCommand,
    CancelTimer,
    CloseConnection,
    DropLink,
    Effect,
    LogoutConnection,
    OpenConnection,
    PublishQr,
    ReportTransition,
    RequestPairingCode,
    Retire,
    SetTimer,
)
from actors.session.state import PURPOSES, Goal, Purpose, SessionState, Timer, Trouble, Verdict, Waiter
from actors.session.vocabulary import State

WATCH_S = 120.0
"""Seconds without news from a connection that is being opened; the connector's own deadline is 45 s."""
QUEUE_WATCH_S = 6 * 3600.0
"""The same while it waits for admission, which in an outage may last as long as that."""
CLOSE_S = 15.0
"""Seconds for a connection to be closed."""
BAN_CHECK_S = 3600.0
"""A ban is waited for in pieces, since timers may stand still while a machine is suspended."""


class Draft:
    """A state being worked on, and the effects so far."""

    def __init__(self, state: SessionState, now: float) -> None:
        self.now = now
        self.s = state
        self.effects: list[Effect] = []

    def set(self, **changes: Any) -> None:
        """Change fields of the state."""
        self.s = replace(self.s, **changes)

    def emit(self, effect: Effect) -> None:
        """Want something done."""
        self.effects.append(effect)

    def move(self, to: State, trouble: Trouble | None = None, *, resumed: bool = False) -> None:
        """Go to a state, and report it if it is another one or if there is new trouble."""
        previous = self.s.state
        if trouble is not None:
            self.set(trouble=trouble)
        if to is not previous:
            self.set(state=to, since=self.now, next_attempt_at=None)
            if State.OPEN in {to, previous}:
                self.set(down_since=self.now if previous is State.OPEN else None)
        if self.s.timer and to not in PURPOSES[self.s.timer.purpose]:
            self.disarm()
        if to is not State.PAIRING:
            self.hide_qr()
        if to is not previous or trouble is not None:
            self.report(previous, resumed=resumed)

    def report(self, previous: State, *, resumed: bool) -> None:
        """Tell of the state as it is."""
        shown = self.s.trouble if self.s.state is not State.OPEN else None
        told = shown or Trouble(Cause.UNKNOWN)
        self.emit(
            ReportTransition(
                state=self.s.state,
                previous=previous,
                cause=shown.cause if shown else None,
                code=told.code,
                reason=told.reason,
                message=told.message,
                data=told.data,
                attempt=self.s.reconnect_attempts,
                until=self.s.until,
                down_since=self.s.down_since,
                resumed=resumed,
            )
        )

    def arm(self, purpose: Purpose, delay_s: float) -> None:
        """Set the timer."""
        token = self.s.timers + 1
        self.set(timers=token, timer=Timer(token, purpose))
        self.emit(SetTimer(delay_s, token))

    def disarm(self) -> None:
        """Cancel the timer, if one runs."""
        if self.s.timer:
            self.set(timer=None)
            self.emit(CancelTimer())

    def answer(self, ref: str, error: str | None = None, message: str = "", **data: Any) -> None:
        """Answer a command."""
        self.emit(AnswerCommand(ref, error, message, data))

    def fail_waiters(self, error: str, message: str) -> None:
        """Tell those who wait for a QR that there will be none."""
        for waiter in self.s.waiters:
            self.answer(waiter.ref, error, message)
        self.set(waiters=())

    def show_qr(self, qr: str, expires_at: float | None) -> None:
        """There is a QR: give it to those who wait for one, and ask for their codes."""
        self.set(qr=qr, qr_expires_at=expires_at)
        self.emit(PublishQr(qr, expires_at))
        for waiter in self.s.waiters:
            self.hand_out(waiter)
        self.set(waiters=())

    def hand_out(self, waiter: Waiter) -> None:
        """Give a waiter what there is, while a QR is shown."""
        if waiter.phone is not None:
            self.emit(RequestPairingCode(waiter.ref, waiter.phone))
        else:
            self.answer(waiter.ref, qr=self.s.qr, expires_at=self.s.qr_expires_at)

    def hide_qr(self) -> None:
        """The QR, if there is one, is worthless now."""
        if self.s.qr is not None:
            self.set(qr=None, qr_expires_at=None)
            self.emit(PublishQr(None, None))

    def retire(self) -> None:
        """A newer actor owns the session."""
        self.fail_waiters("unavailable", Cause.FENCED.sentence)
        if self.s.logout_ref is not None:
            self.answer(self.s.logout_ref, "unavailable", Cause.FENCED.sentence)
        self.disarm()
        self.set(retired=True, logout_ref=None)
        self.emit(Retire())

    def forget_failures(self) -> None:
        """Begin a new episode."""
        self.set(attempt=0, refusals=0, restarts=())

    def connect(self, trouble: Trouble | None = None) -> None:
        """Open a connection with the auth state; without a link as soon as there is one."""
        if self.s.stale_auth:
            return
        if not self.s.link:
            self.set(due=True, verdict=None)
            self.move(State.WAITING, trouble)
            self.disarm()
        elif self.s.connected:
            # One that should not be there: first its end, then a new one.
            self.close(Goal.REOPEN)
        elif not self.s.paired:
            self.rest_unpaired(trouble)
        elif proxying.halts(self):
            return
        elif pausing.holds(self):
            self.set(verdict=None)
            pausing.hold(self, trouble)
        else:
            self._open()
            self.move(State.CONNECTING, trouble)
            self.arm(Purpose.WATCH, WATCH_S)

    def _open(self) -> None:
        mark = None if self.s.proxy is None else self.s.proxy.mark
        self.set(due=False, verdict=None, connected=True, ordered=False, proxied=mark)
        self.emit(OpenConnection())

    def leave(self, trouble: Trouble) -> None:
        """End the link, and connect over the next one."""
        self.emit(DropLink())
        self.set(link=False, ordered=True)
        if self.s.paired:
            self.connect(trouble)
        else:
            self.rest_unpaired(trouble)

    def open_pairing(self) -> None:
        """Open a connection that shows a QR; only ever because somebody asked for it."""
        if proxying.halts(self):
            return
        self._open()
        self.move(State.PAIRING)
        self.arm(Purpose.WATCH, WATCH_S)

    def close(self, goal: Goal) -> None:
        """Close the connection, and remember what for."""
        self.set(goal=goal)
        self.emit(CloseConnection())
        self.move(State.CLOSING)
        self.arm(Purpose.CLOSE, CLOSE_S)

    def log_out(self) -> None:
        """Remove the device at WhatsApp, which closes the connection."""
        self.set(goal=Goal.LOGOUT)
        self.emit(LogoutConnection())
        self.move(State.CLOSING)
        self.arm(Purpose.CLOSE, CLOSE_S)

    def rest_stopped(self) -> None:
        """Stopped by the operator, who is told of what else stands in the way when it is started again."""
        self.fail_waiters("refused", Cause.OPERATOR_STOP.sentence)
        self.hide_qr()
        self.set(due=False, fallback=None, ordered=False)
        self.move(State.STOPPED, Trouble(Cause.OPERATOR_STOP) if self.s.state is not State.STOPPED else None)

    def rest_unpaired(self, trouble: Trouble | None = None) -> None:
        """There is no device: pairing on demand."""
        self.hide_qr()
        self.set(due=False, verdict=None, ordered=False)
        self.move(State.PAIRING, trouble)
        self.disarm()

    def convict(self, verdict: Verdict) -> None:
        """Stay away from WhatsApp until the verdict ends or an operator acts."""
        self.set(verdict=verdict, due=False, ordered=False)
        self.move(verdict.state, verdict.trouble)
        self.await_end_of_ban()

    def await_end_of_ban(self) -> None:
        """Set the timer for the end of a verdict that has one; there is none for the others."""
        if self.s.until is None:
            self.disarm()
        else:
            self.arm(Purpose.BAN, min(max(self.s.until - self.now, 0.0), BAN_CHECK_S))
