"""What recovery orders of an open session, and who planned an attempt."""

import pytest

from actors.recovery.plans import Action
from actors.session import effects as fx
from actors.session.causes import Cause, State
from actors.session.inputs import clock, connector, host, operators
from actors.session.inputs.event import Event
from tests.unit.session.driver import Session, of, opens

OURS = connector.Closed(0, "closed_by_us")


def told(effects: tuple[fx.Effect, ...]) -> list[tuple[State, Cause | None]]:
    return [(e.state, e.cause) for e in of(fx.ReportTransition, effects)]


def test_a_connection_that_does_not_work_is_closed_first_and_then_opened_anew_with_the_cause() -> None:
    s = Session().open(stay=600)
    done = s.tell(operators.Heal("r", Cause.DEAF))
    assert [type(e) for e in done if isinstance(e, fx.CloseConnection | fx.OpenConnection)] == [fx.CloseConnection]
    assert of(fx.AnswerCommand, done) == [fx.AnswerCommand("r")]
    assert s.at() is State.CLOSING
    done = s.tell(OURS)
    assert opens(done) == 1
    assert told(done) == [(State.CONNECTING, Cause.DEAF)]
    assert s.full.planned_by == "recovery"
    assert s.full.attempt == 1
    s.tell(connector.Opened("me"))
    assert s.at() is State.OPEN


def test_another_end_meanwhile_is_what_counts() -> None:
    s = Session().open(stay=600)
    s.tell(operators.Heal("r", Cause.DEAF))
    done = s.tell(connector.Closed(403, "login_failure"))
    assert opens(done) == 0
    assert s.at() is State.BLOCKED
    s = Session().open(stay=600)
    s.tell(operators.Heal("r", Cause.OUTBOUND_STUCK))
    assert told(s.tell(connector.Closed(428, "network"))) == [(State.WAITING, Cause.CONNECTION_CLOSED)]


def test_a_close_that_nobody_answers_ends_with_the_link_and_keeps_its_cause() -> None:
    s = Session().open(stay=600)
    s.tell(operators.Heal("r", Cause.DEAF))
    assert of(fx.DropLink, s.due(15.0))
    assert told(s.tell(host.LinkDown())) == [(State.WAITING, Cause.DEAF)]
    s.link()
    assert opens(s.due()) == 1


def test_it_moves_to_a_fresh_process_if_that_comes_in_between() -> None:
    s = Session().open(stay=600)
    s.tell(operators.Heal("r", Cause.DEAF), host.Move())
    assert told(s.tell(OURS)) == [(State.WAITING, Cause.CONNECTOR_RECYCLED)]


@pytest.mark.parametrize("state", [State.WAITING, State.BLOCKED, State.STOPPED, State.CLOSING])
def test_only_an_open_session_is_healed(state: State) -> None:
    s = Session().open(stay=600)
    events: dict[State, Event] = {
        State.WAITING: connector.Closed(428, "network"),
        State.BLOCKED: connector.Closed(403, "login_failure"),
        State.STOPPED: operators.Stop("s"),
        State.CLOSING: operators.Stop("s"),
    }
    s.tell(events[state])
    if state is State.STOPPED:
        s.tell(OURS)
    before = s.full
    done = s.tell(operators.Heal("r", Cause.DEAF))
    assert [e.error for e in of(fx.AnswerCommand, done)] == ["not_open"]
    assert s.full == before


def test_an_attempt_tells_who_planned_it() -> None:
    s = Session().open(stay=600)
    s.tell(connector.Closed(428, "network"))
    assert s.full.planned_by == "rule"
    s.tell(clock.PlanArrived(s.full.asks, Action.RECONNECT, 5.0))
    assert s.full.planned_by == "recovery"
    s.due()
    s.tell(connector.Closed(428, "network"))
    assert s.full.planned_by == "rule"
    s.due()
    assert s.full.planned_by == "session", "nobody answered"
    s = Session().open(stay=600)
    s.tell(connector.Closed(515, "stream_error"))
    assert s.full.planned_by == "rule"
