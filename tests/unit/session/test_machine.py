"""How a session connects, loses its connection, and comes back."""

import pytest

from actors.recovery.plans import Action
from actors.session import effects as fx
from actors.session.causes import Cause, State
from actors.session.inputs import clock, connector, host, operators
from actors.session.inputs.event import Event
from actors.session.machine import step
from actors.session.state import Saved, SessionState, Trouble, Verdict
from tests.unit.session.driver import DAY, Session, of, opens

NETWORK = connector.Closed(428, "network")


def test_a_paired_session_connects_by_itself_once_the_link_has_settled() -> None:
    s = Session()
    assert s.at() is State.STARTING
    assert not opens(s.tell(host.LinkUp(False, "idle", True)))
    assert opens(s.due()) == 1
    assert s.at() is State.CONNECTING
    (report,) = of(fx.ReportTransition, s.tell(connector.Opened("me")))
    assert (report.state, report.cause, report.attempt) == (State.OPEN, None, 0)


def test_a_closed_that_nobody_saw_is_heard_before_anything_is_opened() -> None:
    s = Session().open().restarted().link(adopted=True)
    s.tell(connector.Closed(403, "login_failure"))
    assert s.at() is State.BLOCKED
    assert s.full.timer is None


def test_after_the_end_of_a_process_another_one_is_connected_through_at_once() -> None:
    s = Session().open()
    s.tell(host.LinkDown())
    assert (s.at(), s.full.due) == (State.WAITING, True)
    assert opens(s.tell(host.LinkUp(False, "idle", True, fresh=True))) == 1, "it has no closed to tell"
    assert s.at() is State.CONNECTING


def test_the_same_process_may_have_to_tell_how_a_connection_ended() -> None:
    s = Session().open()
    s.tell(host.LinkDown())
    assert not opens(s.tell(host.LinkUp(False, "idle", True)))
    s.tell(connector.Closed(403, "login_failure"))
    assert s.at() is State.BLOCKED


@pytest.mark.parametrize("paired", [True, False])
def test_another_process_opens_nothing_that_is_not_due(paired: bool) -> None:
    s = Session()
    assert not opens(s.tell(host.LinkUp(False, "idle", paired, fresh=True)))
    stopped = Session(enabled=False)
    assert not opens(stopped.tell(host.LinkUp(False, "idle", paired, fresh=True)))


def test_a_link_before_the_saved_state_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="LinkUp came before Resumed"):
        step(SessionState(), host.LinkUp(False, "idle", True), 0.0)


def test_a_transient_end_waits_for_a_plan_and_follows_it() -> None:
    s = Session().open()
    done = s.tell(NETWORK)
    (ask,) = of(fx.AskPlan, done)
    assert (ask.cause, ask.attempt) == (Cause.CONNECTION_CLOSED, 1)
    assert s.at() is State.WAITING
    (timer,) = of(fx.SetTimer, s.tell(clock.PlanArrived(ask.ask, Action.RECONNECT, 7.0)))
    assert timer.delay_s == 7.0
    assert s.full.next_attempt_at == s.now + 7.0
    assert opens(s.due(7.0)) == 1


def test_without_a_plan_the_session_makes_its_own_and_counts_from_the_end_of_the_connection() -> None:
    s = Session().open()
    for _ in range(8):
        s.tell(NETWORK)
        fallback = s.full.fallback
        assert fallback is not None
        done = s.due(1.5)
        if fallback.delay_s > 1.5:
            (timer,) = of(fx.SetTimer, done)
            assert timer.delay_s == pytest.approx(fallback.delay_s - 1.5)
            done = s.due(timer.delay_s)
        assert opens(done) == 1


def test_a_plan_that_comes_too_late_is_not_heeded() -> None:
    s = Session().open()
    (first,) = of(fx.AskPlan, s.tell(NETWORK))
    s.retry()
    assert s.tell(clock.PlanArrived(first.ask, Action.HALT)) == ()
    (second,) = of(fx.AskPlan, s.tell(NETWORK))
    assert s.tell(clock.PlanArrived(first.ask, Action.HALT)) == ()
    s.tell(clock.PlanArrived(second.ask, Action.HALT))
    assert s.at() is State.HALTED


@pytest.mark.parametrize("action", [Action.NONE, Action.IDLE])
def test_a_plan_that_makes_no_sense_is_as_good_as_none(action: Action) -> None:
    s = Session().open()
    (ask,) = of(fx.AskPlan, s.tell(NETWORK))
    assert s.tell(clock.PlanArrived(ask.ask, action)) == ()
    assert opens(s.retry()) == 1


def test_attempts_grow_while_a_session_flaps_and_start_anew_after_a_quiet_minute() -> None:
    s = Session().open()
    for attempt in (1, 2, 3):
        (ask,) = of(fx.AskPlan, s.tell(NETWORK))
        assert (ask.attempt, s.full.reconnect_attempts) == (attempt, attempt)
        s.retry()
        s.tell(connector.Opened())
        assert s.full.reconnect_attempts == 0
    s.now += 60.0
    (ask,) = of(fx.AskPlan, s.tell(NETWORK))
    assert ask.attempt == 1


def test_515_reconnects_at_once_three_times_a_minute() -> None:
    s = Session().open()
    for _ in range(3):
        assert opens(s.tell(connector.Closed(515, "stream_error"))) == 1
        assert s.full.reconnect_attempts == 0
        s.tell(connector.Opened())
    assert not opens(s.tell(connector.Closed(515, "stream_error")))
    assert s.at() is State.WAITING
    s.retry()
    s.tell(connector.Opened())
    s.now += 60.0
    assert opens(s.tell(connector.Closed(515, "stream_error"))) == 1


def test_few_tries_then_it_halts() -> None:
    s = Session().open()
    for _ in range(3):
        s.tell(connector.Closed(414, "login_failure"))
        assert s.at() is State.WAITING
        assert opens(s.retry()) == 1
        s = s.restarted().link()
        s.due()
    s.tell(connector.Closed(414, "login_failure"))
    assert s.at() is State.HALTED
    assert s.full.timer is None


@pytest.mark.parametrize(
    ("closed", "state", "cause"),
    [
        (connector.Closed(401, "login_failure"), State.HALTED, Cause.LOGGED_OUT),
        (connector.Closed(440, "stream_error", "", {"conflict": "replaced"}), State.HALTED, Cause.CONNECTION_REPLACED),
        (connector.Closed(405, "login_failure"), State.HALTED, Cause.CLIENT_OUTDATED),
        (connector.Closed(403, "login_failure"), State.BLOCKED, Cause.LOCKED),
        (connector.Closed(406, "login_failure"), State.BLOCKED, Cause.BANNED),
    ],
)
def test_a_verdict_stands_over_restarts(closed: connector.Closed, state: State, cause: Cause) -> None:
    s = Session().open()
    (report,) = of(fx.ReportTransition, s.tell(closed))
    assert (report.state, report.cause, report.code) == (state, cause, closed.code)
    since, s = s.now, s.restarted()
    (again,) = of(fx.ReportTransition, s.effects)
    assert (again.state, again.cause, again.resumed) == (state, cause, True)
    assert s.full.since == since
    assert s.link().at() is state
    assert s.full.timer is None


def test_a_temporary_ban_is_waited_for_over_a_restart_and_then_tried_once() -> None:
    s = Session().open()
    (report,) = of(fx.ReportTransition, s.tell(connector.Closed(402, "login_failure", "", {"expire": "86400"})))
    assert report.until == s.now + DAY
    assert s.at() is State.BLOCKED
    s.now += DAY / 2
    s = s.restarted().link()
    assert s.at() is State.BLOCKED
    for _ in range(11):
        assert not opens(s.due(3600.0))
    assert opens(s.due(3600.0)) == 1
    assert s.at() is State.CONNECTING


def test_a_ban_that_ended_while_nobody_ran_is_over() -> None:
    s = Session().open()
    s.tell(connector.Closed(402, "login_failure", "", {"expire": "60"}))
    s.now += 61.0
    s = s.restarted().link()
    assert opens(s.due()) == 1


def test_a_connector_process_that_dies_costs_one_reconnection_when_the_link_is_back() -> None:
    s = Session().open()
    (report,) = of(fx.ReportTransition, s.tell(host.LinkDown()))
    assert (report.state, report.cause, report.attempt) == (State.WAITING, Cause.CONNECTOR_LOST, 1)
    assert s.full.timer is None
    assert opens(s.link().due()) == 1


FAULTY = host.ConnectorFaulty("flood", "it sends more than it may")


def test_a_connector_that_is_ended_for_a_fault_is_the_cause_that_is_shown_and_costs_one_reconnection() -> None:
    s = Session().open()
    (report,) = of(fx.ReportTransition, s.tell(FAULTY))
    assert (report.state, report.cause, report.reason) == (State.WAITING, Cause.CONNECTOR_FAULTY, "flood")
    assert report.message == FAULTY.sentence
    assert not of(fx.ReportTransition, s.tell(host.LinkDown()))
    assert not of(fx.ReportTransition, s.tell(FAULTY))  # the next process does the same: nothing new
    assert opens(s.link().due()) == 1


def test_a_fault_that_is_told_after_the_end_of_the_link_replaces_its_cause() -> None:
    s = Session().open()
    s.tell(host.LinkDown())
    (report,) = of(fx.ReportTransition, s.tell(FAULTY))
    assert (report.state, report.cause) == (State.WAITING, Cause.CONNECTOR_FAULTY)
    assert opens(s.link().due()) == 1


def test_a_session_whose_connector_never_starts_shows_why() -> None:
    s = Session()
    (report,) = of(fx.ReportTransition, s.tell(FAULTY))
    assert (report.state, report.cause) == (State.WAITING, Cause.CONNECTOR_FAULTY)
    assert opens(s.link().due()) == 1
    unpaired = Session()
    unpaired.tell(host.LinkUp(False, "idle", False))
    (report,) = of(fx.ReportTransition, unpaired.tell(FAULTY))
    assert (report.state, report.cause) == (State.PAIRING, Cause.CONNECTOR_FAULTY)


def test_a_faulty_connector_lifts_no_verdict_and_hides_none() -> None:
    s = Session().open()
    s.tell(connector.Closed(403, "login_failure"))
    assert not of(fx.ReportTransition, s.tell(FAULTY))
    assert (s.at(), s.full.trouble and s.full.trouble.cause) == (State.BLOCKED, Cause.LOCKED)
    s = Session().open()
    (ask,) = of(fx.AskPlan, s.tell(NETWORK))
    assert not of(fx.ReportTransition, s.tell(FAULTY))  # it waits for its own time
    s.tell(clock.PlanArrived(ask.ask, Action.RECONNECT, 0.0))
    assert s.at() is State.WAITING
    (report,) = of(fx.ReportTransition, s.tell(FAULTY))  # which has come
    assert report.cause is Cause.CONNECTOR_FAULTY


def test_a_pairing_that_was_committed_and_not_told_is_found_with_the_next_link() -> None:
    s = Session().link(paired=False)
    s.tell(operators.PairingRequested("r1"), connector.Connecting(), connector.Qr("q", None))
    s.tell(host.LinkDown())  # the connector died behind its commit
    assert s.at() is State.PAIRING
    assert not s.full.timer
    s.link(paired=True)
    assert opens(s.due()) == 1
    assert s.at() is State.CONNECTING


def test_a_connection_that_outlived_its_link_is_adopted() -> None:
    s = Session().open()
    s.tell(host.LinkDown())
    done = s.tell(host.LinkUp(True, "open", True, "me", 5.0))
    assert s.at() is State.OPEN
    assert not opens(done)
    assert s.full.opened_at == 5.0


def test_an_actor_that_takes_over_adopts_what_is_under_way() -> None:
    for phase, state in (("open", State.OPEN), ("queued", State.CONNECTING), ("connecting", State.CONNECTING)):
        s = Session().link(phase, adopted=True)
        assert s.at() is state
        assert not opens(s.effects)


def test_an_attempt_that_falls_due_without_a_link_is_made_when_there_is_one() -> None:
    s = Session().open()
    s.tell(NETWORK, host.LinkDown())
    assert not opens(s.retry_without_link())
    assert s.full.due
    assert opens(s.link().due()) == 1


def test_a_connection_of_which_nothing_is_heard_is_given_up() -> None:
    s = Session().link()
    s.due()
    assert of(fx.CloseConnection, s.due(120.0))
    s.tell(connector.Closed(0, "closed_by_us"))
    assert s.at() is State.WAITING
    assert s.full.trouble is not None
    assert s.full.trouble.cause is Cause.OPEN_DEADLINE


def test_a_connector_that_does_not_close_loses_its_link() -> None:
    s = Session().link()
    s.due()
    s.due(120.0)
    assert of(fx.DropLink, s.due(15.0))
    s.tell(host.LinkDown())
    assert s.at() is State.WAITING


def test_a_connection_that_nobody_wants_is_closed() -> None:
    blocked = Session().open()
    blocked.tell(connector.Closed(403, "login_failure"))
    for late in (connector.Opened(), connector.Connecting(), connector.Queued(), connector.Qr("q", None)):
        s = blocked.restarted().link()
        assert of(fx.CloseConnection, s.tell(late))
        assert s.tell(late) == ()
    assert of(fx.CloseConnection, blocked.restarted().tell(host.LinkUp(True, "open", True)))


def test_open_refused_by_the_connector_is_an_end_like_others() -> None:
    s = Session().link()
    s.due()
    assert s.tell(connector.OpenRefused("busy")) == ()
    s.tell(connector.OpenRefused("vault_unavailable"))
    assert s.at() is State.WAITING
    assert s.full.trouble is not None
    assert s.full.trouble.cause is Cause.VAULT_UNAVAILABLE


@pytest.mark.parametrize(
    "end", [connector.Superseded(), connector.Closed(0, "fenced"), connector.OpenRefused("fenced")]
)
def test_an_actor_with_a_successor_retires(end: Event) -> None:
    s = Session().link()
    s.due()
    assert of(fx.Retire, s.tell(end))
    assert s.full.timer is None
    assert s.tell(host.LinkDown(), host.LinkUp(False, "idle", True)) == ()
    (answer,) = of(fx.AnswerCommand, s.tell(operators.Reconnect("r")))
    assert answer.error == "unavailable"


def test_evidence_changes_no_state() -> None:
    s = Session().open()
    before = s.full
    evidence = (
        connector.Rtt(3.0),
        connector.HeartbeatMissed(),
        connector.Ack("m", None, 2.0),
        connector.Received("m"),
        connector.Undecryptable("m"),
    )
    assert s.tell(*evidence, connector.Receipt("m", "read")) == ()
    assert s.full == before


def test_a_restriction_is_remembered() -> None:
    s = Session().open()
    s.tell(connector.Timelock(True, 5.0))
    assert s.full.timelocked
    s.tell(connector.Timelock(False))
    assert not s.full.timelocked


def test_how_long_a_session_is_down_counts_over_its_attempts_and_restarts() -> None:
    s = Session().open(stay=5.0)
    assert s.full.down_since is None
    began = s.now
    for _ in range(3):
        s.tell(NETWORK)
        s.now += 30.0
        s.retry()
        s = s.restarted().link()
        assert s.full.down_since == began
        s.due()
    (report,) = of(fx.ReportTransition, s.tell(connector.Opened()))
    assert report.down_since is None


def test_a_block_outlasts_the_ban_that_came_before_it() -> None:
    s = Session().link()
    s.tell(connector.Closed(402, "login_failure", "", {"expire": "60"}))
    s.tell(connector.Closed(403, "login_failure"))
    assert s.at() is State.BLOCKED
    assert s.full.timer is None


def test_a_ban_that_is_over_does_not_bring_back_an_auth_state_that_was_thrown_out() -> None:
    over = Verdict(State.BLOCKED, Trouble(Cause.TEMPORARY_BAN, 402), until=5.0)
    s = Session(Saved(State.BLOCKED, 1.0, over.trouble, over, stale_auth=True)).link()
    assert not opens(s.due())
    assert s.at() is State.BLOCKED
    assert of(fx.ResetAuth, s.tell(operators.Reconnect("r")))
