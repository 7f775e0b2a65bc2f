"""Stopping children: one of them, those that a failed sibling takes along, or all.  Pure.

As OTP's ``terminate_children`` does it, in the reverse order of the start; only children that need no order among
them are asked together.
"""

import itertools
from dataclasses import replace

from actors.supervision.spec import Restart
from actors.supervision.state import Action, AskToStop, Child, Finished, Phase, Result, State


def ask(state: State, child: Child, now: float, *, again: bool, why: str) -> Result:
    """Asks a living child to stop, once.  ``again``: it is started anew when it is gone."""
    if child.phase is Phase.STOPPING:
        return state.put(replace(child, again=again)), ()
    verdict = child.verdict or why  # one that is being killed for a hang was hung
    return state.put(replace(child, phase=Phase.STOPPING, since=now, again=again, verdict=verdict)), (
        AskToStop(child.spec.id),
    )


def shutdown(state: State, now: float) -> Result:
    """Begins to stop all children; nothing is started from here on."""
    return go_on(replace(state, stopping=True), now)


def go_on(state: State, now: float) -> Result:
    """Asks the next ones to stop, of all during shutdown, else of those taken along; tells when nobody is left."""
    if state.stopping and not any(child.alive for child in state.children.values()):
        return state, (Finished(),)
    leaving = [c for c in reversed(state.children.values()) if c.alive and (state.stopping or c.taken)]
    if leaving and leaving[0].spec.wait_ready:
        turn = leaving[:1]
    else:
        turn = list(itertools.takewhile(lambda child: not child.spec.wait_ready, leaving))
    actions: list[Action] = []
    for child in turn:
        if child.phase is not Phase.STOPPING:
            again = not state.stopping and child.spec.restart is not Restart.TEMPORARY
            state, asked = ask(state, child, now, again=again, why="asked" if state.stopping else "sibling")
            actions += asked
    return state, tuple(actions)


def some_taken(state: State) -> bool:
    """Whether siblings of a failed child are still to be stopped: before the last is gone none is started."""
    return any(child.taken for child in state.children.values())
