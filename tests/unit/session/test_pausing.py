"""A session whose recovery is paused stays where it is."""

import math

import pytest

from actors.recovery.plans import Action
from actors.session import effects as fx
from actors.session.causes import State
from actors.session.change import is_failure, read_change
from actors.session.inputs import clock, connector, host, operators
from actors.session.pausing import LOOK_S
from actors.session.state import Saved
from tests.unit.session.driver import DAY, Session, of, opens

LOST = connector.Closed(428, "network")


def paused(seconds: float = 600.0) -> Session:
    s = Session().open()
    s.tell(host.PauseChanged(s.now + seconds))
    return s


def test_an_open_connection_is_not_touched() -> None:
    s = Session().open()
    assert s.tell(host.PauseChanged(math.inf)) == ()
    assert s.tell(host.PauseChanged(None)) == ()
    assert s.at() is State.OPEN


def test_a_closed_one_waits_for_the_end_and_asks_nobody_for_a_plan() -> None:
    s = paused(600.0)
    end = s.now + 600.0
    done = s.tell(LOST)
    assert (s.at(), s.full.held, s.full.next_attempt_at) == (State.WAITING, True, end)
    assert not of(fx.AskPlan, done)
    (told,) = of(fx.ReportTransition, done)
    assert told.cause is not None
    assert opens(s.due(599.0)) == 0  # a timer that came too early
    assert opens(s.due(1.0)) == 1
    assert s.at() is State.CONNECTING


def test_what_restarts_at_once_waits_as_well_save_what_the_protocol_asks_for() -> None:
    s = paused()
    assert opens(s.tell(connector.Closed(515, "stream_error"))) == 1
    s.tell(connector.Opened("me"))
    s.tell(host.LinkDown())
    s.link()
    assert s.full.timer is not None
    assert opens(s.due()) == 0
    assert (s.at(), s.full.held) == (State.WAITING, True)


@pytest.mark.parametrize("planned", [False, True])
def test_a_session_that_waits_already_waits_for_the_end_of_the_pause(planned: bool) -> None:
    s = Session().open()
    s.tell(LOST)
    if planned:
        s.tell(clock.PlanArrived(s.full.asks, Action.RECONNECT, 20.0))
    done = s.tell(host.PauseChanged(math.inf))
    (told,) = of(fx.ReportTransition, done)
    assert told.resumed
    data = {"state": str(told.state), "previous": str(told.previous), "cause": str(told.cause), "resumed": told.resumed}
    change = read_change(s.now, data)
    assert change is not None
    assert not is_failure(change)
    assert s.full.next_attempt_at is None
    s.tell(clock.PlanArrived(s.full.asks, Action.RECONNECT, 0.0))
    assert s.full.held
    assert opens(s.due(LOOK_S)) == 0
    assert s.full.held
    assert opens(s.tell(host.PauseChanged(None))) == 1


def test_a_pause_that_is_made_longer_or_shorter_holds_as_it_is_now() -> None:
    s = paused(10.0)
    s.tell(LOST)
    s.tell(host.PauseChanged(s.now + 600.0))
    assert opens(s.due(10.0)) == 0
    s.tell(host.PauseChanged(s.now + 5.0))
    assert s.full.next_attempt_at == s.now + 5.0
    assert opens(s.due(5.0)) == 1


def test_an_attempt_under_way_goes_on_and_the_next_one_waits() -> None:
    s = Session().link()
    s.due()
    s.tell(host.PauseChanged(math.inf))
    assert s.at() is State.CONNECTING
    s.tell(connector.Closed(503, "http_503"))
    assert (s.at(), s.full.held) == (State.WAITING, True)


def test_a_start_of_the_actor_under_a_pause_connects_nothing_and_adopts_what_is_open() -> None:
    s = Session(Saved(State.OPEN))
    s.tell(host.PauseChanged(math.inf))
    s.link()
    s.due()
    assert (s.at(), s.full.held) == (State.WAITING, True)
    adopted = Session(Saved(State.OPEN))
    adopted.tell(host.PauseChanged(math.inf))
    adopted.link("open", adopted=True)
    assert adopted.at() is State.OPEN
    unpaired = Session()
    unpaired.tell(host.PauseChanged(math.inf))
    assert unpaired.link(paired=False).at() is State.PAIRING


def test_what_an_operator_orders_is_done_and_the_next_end_waits_again() -> None:
    s = paused()
    s.tell(LOST)
    assert opens(s.tell(operators.Reconnect("r"))) == 1
    s.tell(connector.Opened("me"), operators.Reconnect("again"))
    assert opens(s.tell(connector.Closed(0, "closed_by_us"))) == 1
    s.tell(connector.Opened("me"), LOST)
    assert s.full.held
    s.tell(operators.Stop("stop"))
    assert s.at() is State.STOPPED
    assert opens(s.tell(operators.Start("start"))) == 1


def test_an_order_without_a_link_is_remembered_until_there_is_one() -> None:
    s = paused()
    s.tell(host.LinkDown())
    assert s.at() is State.WAITING
    s.tell(operators.Reconnect("r"))
    s.link()
    assert opens(s.due()) == 1
    assert not s.full.ordered


def test_the_move_to_another_connector_process_is_no_recovery() -> None:
    s = paused()
    s.tell(host.Move())
    s.tell(connector.Closed(0, "closed_by_us"), host.LinkDown())
    s.link()
    assert opens(s.due()) == 1


def test_a_verdict_stays_and_a_ban_that_is_over_waits_for_the_end_of_the_pause() -> None:
    s = paused(2 * DAY)
    s.tell(connector.Closed(402, "login_failure", "", {"expire": "3600"}))
    assert s.at() is State.BLOCKED
    assert opens(s.due(3600.0)) == 0
    assert s.at() is State.BLOCKED
    assert opens(s.tell(host.PauseChanged(None))) == 1
    halted = paused()
    halted.tell(connector.Closed(403, "login_failure"))
    assert halted.tell(host.PauseChanged(None)) == ()
    assert halted.full.verdict is not None


@pytest.mark.parametrize("phase", ["connecting", "open"])
def test_an_order_is_used_up_by_a_connection_that_is_there_already(phase: str) -> None:
    s = paused()
    s.tell(host.LinkDown(), operators.Reconnect("r"))
    s.link(phase, adopted=True)
    s.tell(connector.Opened("me"), LOST)
    assert (s.at(), s.full.held) == (State.WAITING, True)
