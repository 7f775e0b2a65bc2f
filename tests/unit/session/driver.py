"""A session's state machine with a clock that stands still unless told otherwise."""

from collections.abc import Iterable
from typing import TypeVar

from actors.session import effects as fx
from actors.session.inputs import clock, connector, host
from actors.session.inputs.event import Event
from actors.session.machine import step
from actors.session.state import Saved, SessionState
from actors.session.vocabulary import State

DAY = 86_400.0
T = TypeVar("T", bound=fx.Effect)


class Session:
    """Tells events, keeps the state, and hands out effects."""

    def __init__(self, saved: Saved | None = None, *, enabled: bool | None = True, now: float = 1e6) -> None:
        self.now = now
        self.full = SessionState(seed="s")
        self.effects = self.tell(host.Resumed(saved, enabled))

    def at(self) -> State:
        """The state; a call, since type checkers take an attribute to stay as it was last seen."""
        return self.full.state

    def tell(self, *events: Event) -> tuple[fx.Effect, ...]:
        done: list[fx.Effect] = []
        for event in events:
            self.full, effects = step(self.full, event, self.now)
            done += effects
        return tuple(done)

    def due(self, after: float = 0.0) -> tuple[fx.Effect, ...]:
        """The running timer is due, ``after`` seconds from now."""
        assert self.full.timer is not None
        self.now += after
        return self.tell(clock.TimerDue(self.full.timer.token))

    def link(self, phase: str = "idle", *, paired: bool = True, adopted: bool = False) -> "Session":
        self.tell(host.LinkUp(adopted, phase, paired))
        return self

    def open(self, *, stay: float = 0.0) -> "Session":
        """Link, connect, log in, and stay open for so many seconds."""
        self.link()
        self.due()
        self.tell(connector.Queued(1), connector.Connecting(), connector.Opened("me"))
        assert self.at() is State.OPEN
        self.now += stay
        return self

    def retry(self) -> tuple[fx.Effect, ...]:
        """No plan comes; then the next attempt is due."""
        done = self.due()
        return done if of(fx.OpenConnection, done) else self.due()

    def retry_without_link(self) -> tuple[fx.Effect, ...]:
        """The same, but it falls due while there is no link."""
        done = self.due()
        return done + self.due() if self.full.timer else done

    def restarted(self, enabled: bool | None = True) -> "Session":
        """The actor after this one."""
        return Session(self.full.to_save(), enabled=enabled, now=self.now)


def of(kind: type[T], effects: Iterable[fx.Effect]) -> list[T]:
    return [e for e in effects if isinstance(e, kind)]


def opens(effects: Iterable[fx.Effect]) -> int:
    return len(of(fx.OpenConnection, effects))
