"""The restart decision: pure functions from a supervisor's state and one occurrence to its next state and what to do.

Semantics follow Erlang/OTP's ``supervisor`` (strategies, restart types, intensity as in ``add_restart/3``), with
what OTP lacks: back-off between restarts of one child, parking, heartbeats, and patience with a machine that paused.
``now`` is monotonic seconds; ``rng`` spreads the delays.
"""

import itertools
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from actors.supervision.spec import Backoff, ChildSpec, Intensity, OnIntensity, Policy, Restart, Strategy
from actors.supervision.state import (
    Action,
    AskToStop,
    Child,
    Escalate,
    Exit,
    Finished,
    Kill,
    Phase,
    Result,
    Start,
    State,
)


def add_restart(recent: tuple[float, ...], now: float, intensity: Intensity) -> tuple[tuple[float, ...], bool]:
    """The window with this restart in it, and whether that is too many."""
    window = (*(at for at in recent if now - at <= intensity.period), now)
    return window, len(window) > intensity.restarts


def restart_delay(failures: int, backoff: Backoff, rng: random.Random) -> float:
    """Seconds until the restart after that many consecutive failures (1: the first): at once, then doubling, ±20 %."""
    if failures <= 1:
        return 0.0
    doubled: float = backoff.minimum * 2.0 ** min(failures - 2, 32)
    return min(backoff.maximum, doubled) * rng.uniform(0.8, 1.2)


def add(state: State, specs: Iterable[tuple[ChildSpec, Any]], now: float) -> State:
    """New children, due at once; known ids are left as they are."""
    children = dict(state.children)
    for spec, args in specs:
        known = children.get(spec.id)
        if known is None:
            children[spec.id] = Child(spec=spec, args=args, due=now, since=now)
        elif known.removed:  # wanted again before its process was gone
            children[spec.id] = replace(known, spec=spec, args=args, removed=False, again=True)
    return replace(state, children=children)


def remove(state: State, id: str, now: float) -> Result:
    """Stops a child and forgets it."""
    child = state.children.get(id)
    if child is None:
        return state, ()
    if not child.alive:
        return replace(state, children={k: v for k, v in state.children.items() if k != id}), ()
    return _ask(state, replace(child, removed=True), now, again=False, why="asked")


def restart(state: State, id: str, now: float) -> Result:
    """Stops a child and starts it again (new arguments, an operator's wish); a parked one is started now."""
    child = state.children.get(id)
    if child is None:
        return state, ()
    if child.alive:
        return _ask(state, child, now, again=True, why="asked")
    return state.put(replace(child, phase=Phase.WAITING, due=now, failures=0, recent=())), ()


def up(state: State, id: str, incarnation: int, now: float) -> State:
    """A child says that it is initialised."""
    child = state.children.get(id)
    if child is None or child.incarnation != incarnation or child.phase is not Phase.STARTING:
        return state
    return state.put(replace(child, phase=Phase.RUNNING, since=now, last_beat=now))


def beat(state: State, id: str, incarnation: int, now: float) -> State:
    """A child says that it lives."""
    child = state.children.get(id)
    if child is None or child.incarnation != incarnation:
        return state
    return state.put(replace(child, last_beat=now))


def exited(state: State, id: str, exit_: Exit, now: float, policy: Policy, rng: random.Random) -> Result:
    """A child's process is gone.  Idempotent: a second report of the same death changes nothing."""
    child = state.children.get(id)
    if child is None or not child.alive:
        return state, ()
    if child.verdict is not None and child.verdict != "sibling":
        exit_ = replace(exit_, how=child.verdict)
    ran = now - child.since if child.phase is Phase.RUNNING else 0.0
    gone = replace(child, phase=Phase.STOPPED, since=now, last_exit=exit_, verdict=None)
    if child.removed:
        state = replace(state, children={k: v for k, v in state.children.items() if k != id})
        return _finish(state)
    if state.stopping:
        return _finish(state.put(gone))
    if child.phase is Phase.STOPPING:  # we ended it ourselves: no failure of its own
        if not child.again:
            return state.put(gone), ()
        return state.put(replace(gone, phase=Phase.WAITING, due=now, again=False)), ()
    if child.spec.restart is Restart.TEMPORARY or (child.spec.restart is Restart.TRANSIENT and exit_.normal):
        return state.put(gone), ()
    return _restart_failed(state, gone, ran, now, policy, rng)


def _restart_failed(state: State, child: Child, ran: float, now: float, policy: Policy, rng: random.Random) -> Result:
    failures = 1 if ran >= policy.backoff.reset_after else child.failures + 1
    child = replace(child, failures=failures, restarts=child.restarts + 1)
    if child.spec.on_intensity is OnIntensity.PARK:
        recent, too_many = add_restart(child.recent, now, child.spec.intensity or policy.intensity)
        if too_many:
            parked = replace(child, phase=Phase.PARKED, due=now + policy.park_retry, recent=())
            return state.put(parked), ()
        child = replace(child, recent=recent)
    else:
        recent, too_many = add_restart(state.recent, now, policy.intensity)
        state = replace(state, recent=recent)
        if too_many:
            why = f"{child.spec.id} exceeded {policy.intensity.restarts} restarts in {policy.intensity.period:g} s"
            return replace(state.put(child), stopping=True), (Escalate(why),)
    due = now + restart_delay(failures, policy.backoff, rng)
    state = state.put(replace(child, phase=Phase.WAITING, due=due))
    actions: list[Action] = []
    for sibling in _taken_along(state, child.spec.id, policy.strategy):
        state, asked = _ask(state, sibling, now, again=True, why="sibling")
        actions += asked
    return state, tuple(actions)


def _taken_along(state: State, id: str, strategy: Strategy) -> list[Child]:
    """Living siblings that have to be restarted with a failed child, in reverse order of their start."""
    ids = list(state.children)
    affected = {
        Strategy.ONE_FOR_ONE: [],
        Strategy.ONE_FOR_ALL: ids,
        Strategy.REST_FOR_ONE: ids[ids.index(id) + 1 :],
    }[strategy]
    return [state.children[other] for other in reversed(affected) if other != id and state.children[other].alive]


def _ask(state: State, child: Child, now: float, *, again: bool, why: str) -> Result:
    if child.phase is Phase.STOPPING:
        return state.put(replace(child, again=again)), ()
    stopping = replace(child, phase=Phase.STOPPING, since=now, again=again, verdict=why)
    return state.put(stopping), (AskToStop(child.spec.id),)


def tick(state: State, now: float, policy: Policy) -> Result:
    """Looks at the clock: ends hung children, starts due ones, stops the next ones during shutdown."""
    late = state.last_tick is not None and now - state.last_tick > policy.tick + policy.late_after
    if late and state.last_tick is not None:
        state = _forgive(state, now - state.last_tick)
    state = replace(state, last_tick=now)
    actions: list[Action] = []
    if not late:
        state, killed = _end_hung(state, now, policy)
        actions += killed
    state, more = _stop_next(state, now) if state.stopping else _start_due(state, now, policy)
    return state, (*actions, *more)


def _forgive(state: State, pause: float) -> State:
    """The machine stood still: nobody's silence or slowness of that time counts."""
    children = {
        id: replace(child, since=child.since + pause, last_beat=child.last_beat + pause) if child.alive else child
        for id, child in state.children.items()
    }
    return replace(state, children=children)


def _end_hung(state: State, now: float, policy: Policy) -> Result:
    actions: list[Action] = []
    for child in state.children.values():
        if len(actions) >= policy.kills_a_tick:
            break
        spec = child.spec
        if child.phase is Phase.RUNNING and now - child.last_beat > spec.heartbeat_timeout:
            # a second deadline of the same length runs for the kill itself
            state = state.put(replace(child, verdict="hung", last_beat=now))
            actions.append(Kill(spec.id, "hung"))
        elif child.phase is Phase.STARTING and now - child.since > spec.start_timeout:
            state = state.put(replace(child, verdict="start_timeout", since=now))
            actions.append(Kill(spec.id, "start_timeout"))
        elif child.phase is Phase.STOPPING and now - child.since > spec.stop_timeout:
            state = state.put(replace(child, since=now))
            actions.append(Kill(spec.id, "stop_timeout"))
    return state, tuple(actions)


def _start_due(state: State, now: float, policy: Policy) -> Result:
    """At most one start: the next comes after the pace."""
    if now < state.next_start or _siblings_stopping(state):
        return state, ()
    for child in state.children.values():
        if child.phase in {Phase.WAITING, Phase.PARKED} and child.due <= now:
            started = replace(
                child,
                phase=Phase.STARTING,
                since=now,
                last_beat=now,
                incarnation=state.next_incarnation,
                again=False,
            )
            state = replace(
                state.put(started), next_incarnation=state.next_incarnation + 1, next_start=now + policy.pace
            )
            return state, (Start(child.spec.id, started.incarnation),)
        if _held_back_by(child):
            break
    return state, ()


def _held_back_by(child: Child) -> bool:
    """Whether later siblings wait for this one: no look at the clock is due for them, its news wakes the supervisor."""
    return child.spec.wait_ready and child.phase in {Phase.WAITING, Phase.STARTING, Phase.STOPPING}


def _siblings_stopping(state: State) -> bool:
    """Those taken along by a strategy must all be gone before the first of them starts again."""
    return any(child.phase is Phase.STOPPING and child.verdict == "sibling" for child in state.children.values())


def shutdown(state: State, now: float) -> Result:
    """Begins to stop all children, in reverse order of their start; nothing is started from here on."""
    state, actions = _stop_next(replace(state, stopping=True), now)
    return (state, actions) if actions else _finish(state)


def _stop_next(state: State, now: float) -> Result:
    """Asks the last living child to stop; children at the end that need no order among them are asked together."""
    living = [child for child in reversed(state.children.values()) if child.alive]
    if living and living[0].spec.wait_ready:
        living = living[:1]
    actions: list[Action] = []
    for child in itertools.takewhile(lambda c: not c.spec.wait_ready or len(living) == 1, living):
        state, asked = _ask(state, child, now, again=False, why="asked")
        actions += asked
    return state, tuple(actions)


def _finish(state: State) -> Result:
    if not state.stopping or any(child.alive for child in state.children.values()):
        return state, ()
    return state, (Finished(),)


def next_look(state: State, now: float, policy: Policy) -> float:
    """Seconds until ``tick`` should be called next."""
    soon = policy.tick
    if not state.stopping and not _siblings_stopping(state):
        for child in state.children.values():
            if child.phase in {Phase.WAITING, Phase.PARKED}:
                soon = min(soon, max(child.due, state.next_start) - now)
            if _held_back_by(child):
                break
    return max(0.001, soon)
