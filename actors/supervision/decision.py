"""The restart decision: pure functions from a supervisor's state and one occurrence to its next state and what to do.

Semantics follow Erlang/OTP's ``supervisor`` (strategies, restart types, intensity as in ``add_restart/3``), with
what OTP lacks: back-off between restarts of one child, parking, heartbeats, and patience with a machine that paused.
What the passing of time brings about stands in ``clock``, the order of a stop in ``stopping``.
``now`` is monotonic seconds; ``rng`` spreads the delays.
"""

import random
import signal
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from actors.supervision import stopping
from actors.supervision.spec import Backoff, ChildSpec, Intensity, OnIntensity, Policy, Restart, Strategy
from actors.supervision.state import Child, Escalate, Exit, Phase, Result, State

KILLED_FOR = frozenset({"hung", "start_timeout", "stop_timeout"})
"""Why a supervisor kills."""


def add_restart(recent: tuple[float, ...], now: float, intensity: Intensity) -> tuple[tuple[float, ...], bool]:
    """The window with this restart in it, and whether that is too many."""
    window = (*(at for at in recent if now - at <= intensity.period), now)
    return window, len(window) > intensity.restarts


def bearable_at(recent: tuple[float, ...], intensity: Intensity) -> float:
    """From when on one more restart is not too many; 0 if it never is, or always."""
    if not 0 < intensity.restarts <= len(recent):
        return 0.0
    return recent[-intensity.restarts] + intensity.period


def restart_delay(failures: int, backoff: Backoff, rng: random.Random) -> float:
    """Seconds until the restart after that many consecutive failures (1: the first): at once, then doubling, ±20 %."""
    if failures <= 1:
        return 0.0
    doubled: float = backoff.minimum * 2.0 ** min(failures - 2, 32)
    return min(backoff.maximum, doubled) * rng.uniform(0.8, 1.2)


def add(state: State, specs: Iterable[tuple[ChildSpec, Any]], now: float) -> State:
    """New children, due at once; known ids are left as they are.  Nobody is added during shutdown."""
    if state.stopping:
        return state
    children = dict(state.children)
    for spec, args in specs:
        known = children.get(spec.id)
        if known is None:
            children[spec.id] = Child(spec=spec, args=args, due=now, since=now)
        elif known.removed:  # wanted again before its process was gone
            children[spec.id] = replace(
                known, spec=spec, args=args, removed=False, again=True, failures=0, recent=(), restarts=0
            )
    return replace(state, children=children)


def remove(state: State, id: str, now: float) -> Result:
    """Stops a child and forgets it."""
    child = state.children.get(id)
    if child is None:
        return state, ()
    if not child.alive:
        return state.without(id), ()
    child = replace(child, removed=True)
    if state.stopping:  # it is stopped in its turn
        return state.put(child), ()
    return stopping.ask(state, child, now, again=False, why="asked")


def restart(state: State, id: str, now: float) -> Result:
    """Stops a child and starts it again (new arguments, an operator's wish); a parked one is started now."""
    child = state.children.get(id)
    if child is None or child.removed or state.stopping:
        return state, ()
    if child.alive:
        return stopping.ask(state, child, now, again=True, why="asked")
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
    if child is None or child.incarnation != incarnation or not child.alive:
        return state
    return state.put(replace(child, last_beat=now))


def exited(
    state: State, id: str, incarnation: int, exit_: Exit, now: float, policy: Policy, rng: random.Random
) -> Result:
    """That incarnation's process is gone.  Idempotent: a second report of the same death changes nothing."""
    child = state.children.get(id)
    if child is None or not child.alive or child.incarnation != incarnation:
        return state, ()
    exit_ = _told(child, exit_)
    gone = replace(
        child, phase=Phase.STOPPED, since=now, last_exit=exit_, verdict=None, again=False, taken=False, removed=False
    )
    if child.removed or (child.spec.restart is Restart.TEMPORARY and not child.again):
        state = state.without(id)
    elif child.phase is not Phase.STOPPING and not child.taken and not state.stopping:
        if child.spec.restart is Restart.TRANSIENT and exit_.normal:
            state = state.put(gone)
        else:
            ran = now - child.since if child.phase is Phase.RUNNING else 0.0
            return _failed(state, gone, ran, now, policy, rng)
    elif (child.again or child.taken) and not state.stopping:  # ended for another's sake: no failure of its own
        state = state.put(replace(gone, phase=Phase.WAITING, due=now))
    else:
        state = state.put(gone)
    return stopping.go_on(state, now)


def _told(child: Child, exit_: Exit) -> Exit:
    """The supervisor's own deed explains the end, unless the process ended in another way than it was made to."""
    killed = exit_.how == "signal" and exit_.value == signal.SIGKILL
    if child.verdict is not None and (killed if child.verdict in KILLED_FOR else exit_.normal):
        return replace(exit_, how=child.verdict)
    return exit_


def _failed(state: State, child: Child, ran: float, now: float, policy: Policy, rng: random.Random) -> Result:
    """A child is to be restarted; a start that failed counts like any other failure, as in OTP."""
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
    return stopping.go_on(_take_along(state, child.spec.id, policy.strategy, now), now)


def _take_along(state: State, id: str, strategy: Strategy, now: float) -> State:
    """Siblings that are restarted with a failed child, as by OTP's ``restart_multiple_children``.

    Those that live are stopped first; a transient one that had ended normally is started as well.  One that waits
    keeps its own back-off, and a parked one stays parked: neither lives, and to start it sooner would help nobody.
    """
    ids = list(state.children)
    affected = {
        Strategy.ONE_FOR_ONE: [],
        Strategy.ONE_FOR_ALL: ids,
        Strategy.REST_FOR_ONE: ids[ids.index(id) + 1 :],
    }[strategy]
    for sibling in (state.children[other] for other in affected if other != id):
        if sibling.alive:
            state = state.put(replace(sibling, taken=True))
        elif sibling.phase is Phase.STOPPED:
            state = state.put(replace(sibling, phase=Phase.WAITING, due=now))
    return state
