"""What is told of a session's next attempt is what its counters and the planner make of it, whatever came before."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.events import EventType
from actors.recovery.explain import Recorded, explain
from actors.recovery.learning import LEAST_HEALED, NOTHING, Learnt, doublings
from actors.recovery.plans import Policy, bounds, plan
from actors.session import effects as fx
from actors.session import resume
from actors.session.causes import Cause
from actors.session.inputs import connector
from actors.session.inputs.event import Event
from actors.session.vocabulary import State
from actors.store.records import Episode, OutboxEvent
from tests.unit.session.driver import Session, of

POLICY = Policy(base_s=2.0, cap_s=300.0)
LOST = connector.Closed(408, "network")
TOKEN_EXPIRED = connector.Closed(413, "login_failure")
RATE_LIMITED = connector.Closed(0, "http_429")
RETRY_AFTER = connector.Closed(0, "http_503", data={"retryAfter": "90"})
RESTART = connector.Closed(515, "stream_error")
SLOWLY = Learnt(attempts={Cause.CONNECTION_LOST: (LEAST_HEALED, 20 * LEAST_HEALED)})


class Story:
    """A session that lives, and all that is recorded of it since its trouble began."""

    def __init__(self, learnt: Learnt = NOTHING) -> None:
        self.session = Session().open(stay=600.0)
        self.facts: list[tuple[str, OutboxEvent]] = []
        self.learnt = learnt

    def tell(self, *events: Event) -> tuple[fx.Effect, ...]:
        return self.record(self.session.tell(*events))

    def record(self, effects: tuple[fx.Effect, ...]) -> tuple[fx.Effect, ...]:
        for report in of(fx.ReportTransition, effects):
            data = {
                "state": str(report.state),
                "previous": str(report.previous),
                "cause": None if report.cause is None else str(report.cause),
                "held": self.session.full.held,
                "saved": resume.dump(self.session.full.to_save()),
            }
            event = OutboxEvent(len(self.facts) + 1, self.session.now, EventType.SESSION_STATE, "s", data)
            self.facts.append(("shard-0", event))
        return effects

    def told(self, later: float = 0.0) -> tuple[float, float] | None:
        """Of the next attempt, so many seconds after the last fact."""
        began, at = self.facts[0][1].at, self.session.now + later
        row = Episode(1, "s", "connection_lost", "reconnect", 1, began, detected_at=began)
        recorded = Recorded("s", at, {}, row, tuple(self.facts), open_then=frozenset({1}), learnt=self.learnt)
        return explain(recorded, policy=POLICY).next_delay_s

    def fails(self, closed: connector.Closed) -> None:
        """The plans for it, of recovery and of the session itself, are as was told; then it is tried again."""
        connecting = self.session.full
        before = self.told() if connecting.state is State.CONNECTING else None
        done = self.tell(closed)
        for ask in of(fx.AskPlan, done):
            told = self.told(1.0)
            assert told is not None
            number = ask.attempt + doublings(self.learnt, ask.cause)
            assert bounds(ask.cause, number, ask.data, POLICY) == told
            for seed in range(3):
                made = plan(ask.cause, number, ask.data, self.session.now, random.Random(seed), POLICY)
                assert told[0] <= made.delay_s <= told[1]
            if connecting.trouble is not None and connecting.trouble.cause is ask.cause and before is not None:
                last = connecting.trouble.data
                assert bounds(ask.cause, number, last, POLICY) == before, "told while it was connecting"
        if self.session.at() is State.WAITING:
            self.record(self.session.retry())


FAILURES = st.sampled_from([LOST, TOKEN_EXPIRED, RATE_LIMITED, RETRY_AFTER])


@settings(max_examples=60)
@given(FAILURES, st.lists(FAILURES | st.just(RESTART), max_size=12), st.sampled_from([NOTHING, SLOWLY]))
def test_the_next_attempt_is_told_as_it_is_planned(
    first: connector.Closed, more: list[connector.Closed], learnt: Learnt
) -> None:
    story = Story(learnt)
    story.fails(first)
    for closed in more:
        if story.session.at() is State.CONNECTING:
            story.fails(closed)


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ([LOST], (0.0, 2.0)),
        ([LOST] * 3, (0.0, 8.0)),
        ([TOKEN_EXPIRED], (0.0, 10.0)),
        ([LOST, LOST, TOKEN_EXPIRED, TOKEN_EXPIRED], (0.0, 20.0)),
        ([TOKEN_EXPIRED] * 4, None),
        ([RATE_LIMITED], (10.0, 12.0)),
        ([RETRY_AFTER], (90.0, 92.0)),
        ([LOST, *[RESTART] * 4], (0.0, 2.0)),
    ],
)
def test_the_bounds_are_those_of_the_cause(ends: list[connector.Closed], told: tuple[float, float] | None) -> None:
    story = Story()
    for closed in ends[:-1]:
        story.fails(closed)
    story.tell(ends[-1])
    assert story.told() == told


def test_an_earlier_time_is_told_of_as_it_was() -> None:
    story = Story()
    story.fails(TOKEN_EXPIRED)
    story.tell(TOKEN_EXPIRED)
    assert story.told() == (0.0, 20.0)
    story.facts = story.facts[:1]
    assert story.told() == (0.0, 10.0)


def test_nothing_is_told_of_what_is_not_known_or_not_planned() -> None:
    story = Story()
    story.tell(LOST)
    source, event = story.facts[0]
    for change in ({"saved": None}, {"held": True}, {"saved": {**event.data["saved"], "state": "closing"}}):
        story.facts[0] = source, replace(event, data={**event.data, **change})
        assert story.told() is None
