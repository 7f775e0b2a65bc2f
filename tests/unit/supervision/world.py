"""Processes that a supervisor might have: they start, beat, hang, die and report late, and hold it to its promises.

A model of its own: what the decision does is judged by what happened to the processes, not by its own books, save for
the decisions that draw on chance.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from actors.supervision import clock, decision, stopping
from actors.supervision.spec import ChildSpec, OnIntensity, Policy, Restart, Strategy
from actors.supervision.state import (
    Action,
    AskToStop,
    Escalate,
    Exit,
    Finished,
    Kill,
    Phase,
    Result,
    Start,
    State,
)
from tests.unit.supervision.kit import DONE, KILLED

QUIET_LOOK = 2.0
"""Seconds between looks in a quiet time: rare, but not so rare that they count as late."""


@dataclass
class Process:
    """One incarnation of a child."""

    id: str
    incarnation: int
    heard: float
    """When the supervisor last heard of it: its start, Up or beat."""
    asked_at: float | None = None
    ready: bool = False
    hung: bool = False
    killed: bool = False


@dataclass
class World:
    """A supervisor's state, the living processes, and reports of deaths under way."""

    policy: Policy
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    state: State = field(default_factory=State)
    now: float = 0.0
    alive: dict[str, Process] = field(default_factory=dict)
    reports: list[tuple[Process, Exit]] = field(default_factory=list)
    """Deaths that the supervisor was not told of yet."""
    reported: list[tuple[Process, Exit]] = field(default_factory=list)
    must_go: list[Process] = field(default_factory=list)
    """Taken along by a failure; nobody may start before they are gone."""
    may_start: set[str] = field(default_factory=set)
    """Who has a reason to be started."""
    restarts: list[float] = field(default_factory=list)
    """Times of restarts that count towards the supervisor's intensity."""
    kills: list[float] = field(default_factory=list)
    """Times at which hung children were ended."""
    by_wish: set[str] = field(default_factory=set)
    """Whom the operator asked to go, whatever the order."""
    no_fork: bool = False
    """The machine refuses the next process."""
    shutting_down: bool = False
    finished: bool = False
    escalated: bool = False

    @property
    def over(self) -> bool:
        """Whether the supervisor has ended."""
        return self.finished or self.escalated

    # what happens

    def add(self, spec: ChildSpec) -> None:
        """The child is wanted."""
        known = self.state.children.get(spec.id)
        if not self.shutting_down and (known is None or known.removed):
            self.may_start.add(spec.id)
        self.state = decision.add(self.state, [(spec, None)], self.now)

    def remove(self, id: str) -> None:
        """The child is not wanted any more."""
        self.by_wish.add(id)
        self.may_start.discard(id)
        self.perform(decision.remove(self.state, id, self.now))

    def restart(self, id: str) -> None:
        """The operator wants it afresh."""
        child = self.state.children.get(id)
        if child is not None and not child.removed and not self.shutting_down:
            self.may_start.add(id)
            self.by_wish.add(id)
        self.perform(decision.restart(self.state, id, self.now))

    def shutdown(self) -> None:
        """The supervisor is to end."""
        self.shutting_down = True
        self.perform(stopping.shutdown(self.state, self.now))

    def tick(self, seconds: float) -> None:
        """The supervisor looks at the clock after that time.  A late look means that all stood still."""
        last = self.state.last_tick
        self.now += seconds
        late = last is not None and self.now - last > self.policy.tick + self.policy.late_after
        if late and last is not None:
            for process in self.alive.values():
                process.heard = min(self.now, process.heard + self.now - last)
                if process.asked_at is not None:
                    process.asked_at = min(self.now, process.asked_at + self.now - last)
        result = clock.tick(self.state, self.now, self.policy)
        hung = [a for a in result[1] if isinstance(a, Kill) and a.why != "stop_timeout"]
        assert len(hung) <= self.policy.kills_a_tick
        self.kills += [self.now] * len(hung)
        recent = [at for at in self.kills if self.now - at < self.policy.tick - 1e-9]  # what floating point loses
        assert len(recent) <= self.policy.kills_a_tick
        if late:
            assert not any(isinstance(action, Kill) for action in result[1]), "a pause is nobody's fault"
        self.perform(result)

    def dies(self, id: str, exit_: Exit) -> None:
        """A process ends; its supervisor hears of it later."""
        process = self.alive.pop(id)
        self.reports.append((process, KILLED if process.killed else exit_))

    def report(self, number: int) -> None:
        """The supervisor is told of a death."""
        process, exit_ = self.reports.pop(number)
        self.reported.append((process, exit_))
        self._tell(process, exit_)

    def report_again(self, number: int) -> None:
        """Thespian tells of some deaths twice."""
        before = self.state
        self._tell(*self.reported[number])
        assert self.state is before, "a death counts once"

    def comes_up(self, process: Process) -> None:
        """Says that it is initialised, perhaps from beyond the grave."""
        living = self.alive.get(process.id) is process
        if living and self.state.children[process.id].phase is Phase.STARTING:
            process.ready = True
            process.heard = self.now
        self.state = decision.up(self.state, process.id, process.incarnation, self.now)

    def beats(self, process: Process) -> None:
        """Says that it lives, perhaps from beyond the grave."""
        if process.ready and self.alive.get(process.id) is process:
            process.heard = self.now
        before = self.state
        self.state = decision.beat(self.state, process.id, process.incarnation, self.now)
        if all(process is not known for known in [*self.alive.values(), *(dead for dead, _ in self.reports)]):
            assert self.state is before, "the dead don't beat"

    # what the supervisor does about it

    def _tell(self, process: Process, exit_: Exit) -> None:
        before = self.state
        child = before.children.get(process.id)
        taken = process in self.must_go
        self.must_go = [known for known in self.must_go if known is not process]
        result = decision.exited(before, process.id, process.incarnation, exit_, self.now, self.policy, self.rng)
        after = result[0].children.get(process.id)
        first = child is not None and child.alive and child.incarnation == process.incarnation
        if child is not None and first and not taken and process.asked_at is None and exit_ == DONE:
            assert child.spec.restart is not Restart.TRANSIENT or after is None or after.phase is Phase.STOPPED
        if child is not None and after is not None and after.restarts > child.restarts:
            assert not taken, "who goes along has not failed"
            assert process.asked_at is None, "nor who was asked to go"
            self._failed(child.spec, after.phase, result[0])
        elif child is not None and child.spec.restart is Restart.PERMANENT and not child.removed:
            due = after is not None and after.phase is Phase.WAITING
            gone_for_good = self.shutting_down or child.incarnation != process.incarnation or not child.alive
            assert due or gone_for_good, "a permanent child comes back"
        if taken and after is not None and not self.shutting_down:
            self.may_start.add(process.id)
        self.perform(result)

    def _failed(self, spec: ChildSpec, phase: Phase, after: State) -> None:
        self.may_start.add(spec.id)
        if spec.on_intensity is OnIntensity.ESCALATE:
            self.restarts.append(self.now)
        if phase is not Phase.WAITING:
            return  # parked, or it was too much
        ids = list(self.state.children)
        along = {
            Strategy.ONE_FOR_ONE: [],
            Strategy.ONE_FOR_ALL: ids,
            Strategy.REST_FOR_ONE: ids[ids.index(spec.id) + 1 :],
        }[self.policy.strategy]
        dying = [process for process, _ in self.reports]
        for id in along:
            child = self.state.children[id]
            if child.phase is Phase.STOPPED:
                self.may_start.add(id)
                assert after.children[id].phase is Phase.WAITING, "all of them are started"
            processes = [p for p in [*self.alive.values(), *dying] if p.id == id]
            self.must_go += [process for process in processes if process not in self.must_go]

    def perform(self, result: Result) -> None:
        """Carries out what was decided, and judges it."""
        assert not self.over, "it is over"
        self.state, actions = result
        for action in actions:
            self._perform(action)
        window = [at for at in self.restarts if self.now - at <= self.policy.intensity.period]
        assert self.escalated is (len(window) > self.policy.intensity.restarts)
        nobody = not self.alive and not self.reports
        assert self.finished is (self.shutting_down and nobody and not self.escalated)

    def _perform(self, action: Action) -> None:
        if isinstance(action, Start):
            self._start(action)
        elif isinstance(action, AskToStop):
            self._ask(action)
        elif isinstance(action, Kill):
            self._kill(action)
        elif isinstance(action, Escalate):
            self.escalated = True
        elif isinstance(action, Finished):
            self.finished = True

    def _start(self, action: Start) -> None:
        id = action.id
        spec = self.state.children[id].spec
        assert not self.shutting_down, "nothing is started during shutdown"
        assert id not in self.alive, "one process a child"
        assert all(process.id != id for process, _ in self.reports), "nor beside one whose death is not known"
        assert not self.must_go, "those taken along go first"
        assert id in self.may_start, "nobody wanted it"
        for earlier in self._before(id):
            if earlier.wait_ready:
                process = self.alive.get(earlier.id)
                idle = self.state.children[earlier.id].phase in {Phase.PARKED, Phase.STOPPED}
                dead = any(p.id == earlier.id for p, _ in self.reports)
                assert idle or dead or (process is not None and process.ready), f"{id} before {earlier.id}"
        if spec.restart is not Restart.PERMANENT:
            self.may_start.discard(id)
        self.by_wish.discard(id)
        process = Process(id, action.incarnation, self.now)
        if self.no_fork:
            self.no_fork = False
            self._tell(process, Exit("not_started"))
        else:
            self.alive[id] = process

    def _find(self, id: str) -> Process:
        dying = {process.id: process for process, _ in self.reports}
        return self.alive.get(id) or dying[id]

    def _before(self, id: str) -> list[ChildSpec]:
        ids = list(self.state.children)
        return [self.state.children[other].spec for other in ids[: ids.index(id)]]

    def _ask(self, action: AskToStop) -> None:
        process = self._find(action.id)
        assert process.asked_at is None, "it was asked already"
        process.asked_at = self.now
        if action.id in self.by_wish:
            return
        assert self.shutting_down or process in self.must_go, "nobody told it to go"
        if self.state.children[action.id].spec.wait_ready:
            ids = list(self.state.children)
            for later in ids[ids.index(action.id) + 1 :]:
                going = [p for p in [*self.alive.values(), *(p for p, _ in self.reports)] if p.id == later]
                assert not any(self.shutting_down or p in self.must_go for p in going), "the last one goes first"

    def _kill(self, action: Kill) -> None:
        process = self._find(action.id)
        spec = self.state.children[action.id].spec
        if action.why == "stop_timeout":
            assert process.asked_at is not None
            assert self.now - process.asked_at > spec.stop_timeout
            process.asked_at = self.now
        else:
            assert process.asked_at is None
            assert self.now - process.heard > (spec.heartbeat_timeout if process.ready else spec.start_timeout)
            process.heard = self.now
        process.killed = True

    # what may be expected when nothing more goes wrong

    def _settle_once(self, healthy: Callable[[Process], bool]) -> None:
        while self.reports and not self.over:
            self.report(0)
        for process in list(self.alive.values()):
            if process.killed or (process.asked_at is not None and healthy(process)):
                self.dies(process.id, DONE)
            elif healthy(process):
                self.comes_up(process)
                self.beats(process)
        while self.reports and not self.over:
            self.report(0)
        if not self.over:
            self.tick(QUIET_LOOK)

    def heal(self) -> None:
        """The environment grows quiet: whoever hangs goes on hanging, all others do what they are to do."""
        self.no_fork = False
        for _ in range(round((self.policy.park_retry + 100.0) / QUIET_LOOK)):
            if self.over:
                return
            self._settle_once(lambda process: not process.hung)
        if self.shutting_down:
            raise AssertionError("a shutdown ends")
        for id, child in self.state.children.items():
            if child.spec.restart is Restart.PERMANENT:
                assert id in self.alive, f"{id} does not come back"
                assert child.phase is Phase.RUNNING
                assert not self.alive[id].hung, "nobody hangs for ever"
            assert child.phase in {Phase.RUNNING, Phase.STOPPED}
