"""By which policy a session plans for itself while recovery does not answer."""

import random

import pytest

from actors.recovery.plans import DEFAULT_POLICY, Policy, bounds, plan
from actors.recovery.tuning import policy
from actors.session import effects as fx
from actors.session.causes import Cause
from actors.session.inputs import connector, host
from actors.session.machine import step
from actors.session.sample import Folder
from actors.session.state import SessionState
from actors.session.vocabulary import State
from config.schema_actors import Recovery
from tests.unit.session.driver import Session, of, opens

SLOW = policy(Recovery.model_validate({"backoff": {"min": "30s", "max": "10m"}}))
LOST = connector.Closed(408, "network")


def told(wanted: Policy | None) -> Session:
    session = Session()
    if wanted is not None:
        session.tell(host.PolicyChanged(wanted))
    return session.open(stay=600.0)


def test_the_configured_back_off_is_that_of_the_policy() -> None:
    assert SLOW.configured == (30.0, 600.0)
    assert policy(Recovery()) == DEFAULT_POLICY


def test_without_recovery_it_backs_off_as_configured() -> None:
    session = told(SLOW)
    delays = []
    for number in range(1, 9):
        done = session.tell(LOST)
        (ask,) = of(fx.AskPlan, done)
        fallback = session.full.fallback
        assert fallback is not None
        within = bounds(Cause.CONNECTION_LOST, ask.attempt, {}, SLOW)
        assert (ask.attempt, within) == (number, (0.0, min(600.0, 30.0 * 2 ** (number - 1))))
        assert within is not None
        assert within[0] <= fallback.delay_s <= within[1]
        delays.append(fallback.delay_s)
        session.retry()
    assert max(delays) > DEFAULT_POLICY.cap_s


@pytest.mark.parametrize("wanted", [None, SLOW])
def test_its_plan_is_that_of_the_shared_function_seeded_by_its_id(wanted: Policy | None) -> None:
    session = told(wanted)
    rng = random.Random(f"s:{session.full.timers}:0")
    session.tell(LOST)
    made = plan(Cause.CONNECTION_LOST, 1, {}, session.now, rng, wanted or DEFAULT_POLICY)
    assert session.full.fallback == made


@pytest.mark.parametrize("wanted", [None, SLOW])
def test_what_is_done_at_once_is_no_matter_of_the_back_off(wanted: Policy | None) -> None:
    session = told(wanted)
    for _ in range(3):
        assert opens(session.tell(connector.Closed(515, "stream_error"))) == 1
    assert not opens(session.tell(connector.Closed(515, "stream_error")))


def test_another_policy_holds_from_the_next_plan_on() -> None:
    session = told(None)
    session.tell(LOST)
    before = session.full
    assert session.tell(host.PolicyChanged(SLOW)) == ()
    assert (session.at(), session.full.fallback, session.full.timer) == (State.WAITING, before.fallback, before.timer)
    session.retry()
    session.tell(LOST)
    rng = random.Random(f"s:{session.full.timers - 1}:1")
    assert session.full.fallback == plan(Cause.CONNECTION_LOST, 2, {}, session.now, rng, SLOW)


def test_its_supervisor_may_tell_it_before_its_host_resumes_it_and_hears_what_it_follows() -> None:
    state, effects = step(SessionState(), host.PolicyChanged(SLOW), 0.0)
    assert effects == ()
    assert Folder(1.0).take(state, 2.0).policy == SLOW.configured
    assert Folder(1.0).take(SessionState(), 2.0).policy == DEFAULT_POLICY.configured
