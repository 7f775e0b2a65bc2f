"""What the tests of supervision have in common."""

import random

from actors.supervision import clock, decision
from actors.supervision.spec import ChildSpec, Policy
from actors.supervision.state import AskToStop, Exit, Phase, Result, Start, State

KILLED = Exit("signal", 9)
DONE = Exit("code", 0)
POLICY = Policy(pace=0.0)
RNG = random.Random(1)


def spec(id: str, **options: object) -> ChildSpec:
    """A child with these options."""
    return ChildSpec(id, "worker", **options)  # type: ignore[arg-type]  # options of any field


def running(*specs: ChildSpec, policy: Policy = POLICY, now: float = 0.0) -> State:
    """A supervisor whose children have all come up."""
    return settle(decision.add(State(), [(s, None) for s in specs], now), now, policy)


def settle(state: State, now: float, policy: Policy = POLICY) -> State:
    """Starts what is due, one after the other; all come up at once."""
    for _ in state.children:
        state, actions = clock.tick(state, now, policy)
        for action in actions:
            assert isinstance(action, Start)
            state = decision.up(state, action.id, action.incarnation, now)
    assert not any(child.phase is Phase.STARTING for child in state.children.values())
    return state


def exited(state: State, id: str, exit_: Exit, now: float, policy: Policy = POLICY, rng: random.Random = RNG) -> Result:
    """The present incarnation of a child is gone."""
    return decision.exited(state, id, state.children[id].incarnation, exit_, now, policy, rng)


def started(actions: tuple[object, ...]) -> list[str]:
    """Who is to be started."""
    return [action.id for action in actions if isinstance(action, Start)]


def asked(actions: tuple[object, ...]) -> list[str]:
    """Who is to be asked to stop."""
    return [action.id for action in actions if isinstance(action, AskToStop)]
