"""A look at the clock: who hangs, who is due, when to look next.  Pure; ``now`` is monotonic seconds."""

from dataclasses import replace

from actors.supervision import stopping
from actors.supervision.spec import Policy
from actors.supervision.state import Action, Child, Kill, Phase, Result, Start, State


def tick(state: State, now: float, policy: Policy) -> Result:
    """Ends hung children, asks the next ones to stop, starts due ones."""
    pause = now - state.last_tick if state.last_tick is not None else 0.0
    late = pause > policy.tick + policy.late_after
    state = replace(_forgive(state, pause, now) if late else state, last_tick=now)
    actions: list[Action] = []
    if not late:
        state, killed = _end_hung(state, now, policy)
        actions += killed
    if state.stopping or stopping.some_taken(state):
        state, more = stopping.go_on(state, now)
    else:
        state, more = _start_due(state, now, policy)
    return state, (*actions, *more)


def _forgive(state: State, pause: float, now: float) -> State:
    """The machine stood still: nobody's silence or slowness of that time counts."""

    def forgiven(child: Child) -> Child:
        if not child.alive:
            return child
        if child.phase is Phase.RUNNING:  # it is as old as it is
            return replace(child, last_beat=min(now, child.last_beat + pause))
        return replace(child, since=min(now, child.since + pause))

    return replace(state, children={id: forgiven(child) for id, child in state.children.items()})


def _end_hung(state: State, now: float, policy: Policy) -> Result:
    """Silent children, a few at a time: many at once are rather a sign of a slow machine.

    Who was asked to stop and does not is ended without that patience: it goes in any case.
    """
    actions: list[Action] = []
    hung = 0
    for child in state.children.values():
        why, deadline = _deadline(child)
        if now <= deadline:
            continue
        if child.phase is not Phase.STOPPING:
            if now < state.next_kill or hung >= policy.kills_a_tick:
                continue
            hung += 1
        # a second deadline of the same length runs for the kill itself
        again = replace(child, last_beat=now) if child.phase is Phase.RUNNING else replace(child, since=now)
        state = state.put(replace(again, verdict=why))
        actions.append(Kill(child.spec.id, why))
    return (replace(state, next_kill=now + policy.tick) if hung else state), tuple(actions)


def _deadline(child: Child) -> tuple[str, float]:
    """Until when its silence is suffered, and what it is called after that."""
    if child.phase is Phase.RUNNING:
        return "hung", child.last_beat + child.spec.heartbeat_timeout
    if child.phase is Phase.STARTING:
        return "start_timeout", child.since + child.spec.start_timeout
    if child.phase is Phase.STOPPING:
        return "stop_timeout", child.since + child.spec.stop_timeout
    return "", float("inf")


def _start_due(state: State, now: float, policy: Policy) -> Result:
    """At most one start: the next comes after the pace."""
    if now < state.next_start or _enough_are_starting(state, policy):
        return state, ()
    for child in state.children.values():
        if child.phase in {Phase.WAITING, Phase.PARKED} and child.due <= now:
            number = state.next_incarnation
            started = replace(child, phase=Phase.STARTING, since=now, last_beat=now, incarnation=number)
            state = replace(state.put(started), next_incarnation=number + 1, next_start=now + policy.pace)
            return state, (Start(child.spec.id, number),)
        if _holds_back(child):
            break
    return state, ()


def _enough_are_starting(state: State, policy: Policy) -> bool:
    return sum(child.phase is Phase.STARTING for child in state.children.values()) >= policy.starting


def _holds_back(child: Child) -> bool:
    """Whether later siblings wait for this one: no look at the clock is due for them, its news wakes the supervisor."""
    return child.spec.wait_ready and child.phase in {Phase.WAITING, Phase.STARTING, Phase.STOPPING}


def next_look(state: State, now: float, policy: Policy) -> float:
    """Seconds until ``tick`` should be called next."""
    soon = policy.tick
    if not (state.stopping or stopping.some_taken(state) or _enough_are_starting(state, policy)):
        for child in state.children.values():
            if child.phase in {Phase.WAITING, Phase.PARKED}:
                soon = min(soon, max(child.due, state.next_start) - now)
            if _holds_back(child):
                break
    return max(0.001, soon)
