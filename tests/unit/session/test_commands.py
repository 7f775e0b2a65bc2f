"""What operators ask for, pairing above all."""

import pytest

from actors.session import effects as fx
from actors.session.causes import Cause, State
from actors.session.inputs import clock, connector, host, operators
from actors.session.inputs.event import Event
from actors.session.machine import step
from actors.session.state import SessionState
from tests.unit.session.driver import Session, of, opens


def unpaired() -> Session:
    return Session().link(paired=False)


def showing() -> Session:
    s = unpaired()
    s.tell(operators.PairingRequested("first"), connector.Connecting(), connector.Qr("QR-1", 60.0))
    return s


def logged_out() -> Session:
    s = Session().open()
    s.tell(connector.Closed(401, "login_failure"))
    return s


def blocked() -> Session:
    s = Session().open()
    s.tell(connector.Closed(403, "login_failure"))
    return s


def answer(effects: tuple[fx.Effect, ...]) -> fx.AnswerCommand:
    (one,) = of(fx.AnswerCommand, effects)
    return one


def test_an_unpaired_session_rests_until_somebody_asks_for_a_qr() -> None:
    s = unpaired()
    assert s.at() is State.PAIRING
    assert s.full.timer is None
    assert opens(s.tell(operators.PairingRequested("r"))) == 1
    done = s.tell(connector.Connecting(), connector.Qr("QR-1", 60.0))
    assert answer(done) == fx.AnswerCommand("r", data={"qr": "QR-1", "expires_at": 60.0})
    assert of(fx.PublishQr, done) == [fx.PublishQr("QR-1", 60.0)]


def test_who_asks_while_a_qr_is_shown_gets_it_at_once() -> None:
    s = showing()
    assert answer(s.tell(operators.PairingRequested("r"))).data["qr"] == "QR-1"
    s.tell(connector.Qr("QR-2", 80.0))
    assert answer(s.tell(operators.PairingRequested("r"))).data["qr"] == "QR-2"


def test_a_pairing_code_is_asked_for_once_the_connection_is_pairing() -> None:
    s = unpaired()
    assert opens(s.tell(operators.PairingCodeRequested("r", "4915112345"))) == 1
    done = s.tell(connector.Connecting(), connector.Qr("QR-1", 60.0))
    assert of(fx.RequestPairingCode, done) == [fx.RequestPairingCode("r", "4915112345")]
    assert of(fx.RequestPairingCode, s.tell(operators.PairingCodeRequested("r2", "49")))


def test_after_pairing_515_logs_in_at_once() -> None:
    s = showing()
    done = s.tell(connector.Paired("me"))
    assert of(fx.ReportPaired, done) == [fx.ReportPaired("me")]
    assert of(fx.PublishQr, done) == [fx.PublishQr(None, None)]
    assert opens(s.tell(connector.Closed(515, "stream_error"))) == 1
    assert s.at() is State.CONNECTING
    s.tell(connector.Opened("me"))
    assert s.at() is State.OPEN


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        (connector.Closed(408, "pairing_expired"), Cause.PAIRING_EXPIRED),
        (connector.Closed(428, "network"), Cause.CONNECTION_CLOSED),
        (connector.Closed(515, "stream_error"), Cause.RESTART_REQUIRED),
        (connector.Closed(401, "login_failure"), Cause.LOGGED_OUT),
        (host.LinkDown(), Cause.CONNECTOR_LOST),
    ],
)
def test_a_pairing_that_ends_early_rests_with_its_cause(end: Event, cause: Cause) -> None:
    s = showing()
    (report,) = of(fx.ReportTransition, s.tell(end))
    assert (report.state, report.cause) == (State.PAIRING, cause)
    assert s.full.timer is None
    assert s.full.qr is None


def test_who_waits_for_a_qr_hears_that_there_will_be_none() -> None:
    s = unpaired()
    s.tell(operators.PairingRequested("r"))
    assert answer(s.tell(connector.Closed(408, "network"))).error == "unavailable"


def test_a_refusal_while_pairing_that_retrying_makes_worse_is_a_verdict() -> None:
    s = showing()
    s.tell(connector.Closed(405, "login_failure"))
    assert s.at() is State.HALTED
    assert answer(s.tell(operators.PairingRequested("r"))).error == "refused"


def test_a_paired_session_shows_no_qr() -> None:
    assert answer(Session().open().tell(operators.PairingRequested("r"))).error == "conflict"
    assert answer(Session().link().tell(operators.PairingRequested("r"))).error == "conflict"
    assert answer(Session().tell(operators.PairingRequested("r"))).error == "unavailable"


def test_many_may_wait_for_a_qr_but_not_without_bound() -> None:
    s = unpaired()
    for n in range(16):
        assert not of(fx.AnswerCommand, s.tell(operators.PairingRequested(str(n))))
    assert answer(s.tell(operators.PairingRequested("17"))).error == "limit"
    assert len(of(fx.AnswerCommand, s.tell(connector.Qr("q", None)))) == 16


def test_pairing_a_logged_out_session_deletes_the_auth_state_first() -> None:
    s = logged_out()
    done = s.tell(operators.PairingRequested("r"))
    assert of(fx.ResetAuth, done)
    assert not opens(done)
    assert opens(s.tell(connector.AuthReset())) == 1
    assert s.at() is State.PAIRING
    assert answer(s.tell(connector.Qr("q", None))).data["qr"] == "q"


@pytest.mark.parametrize("command", [operators.Reconnect("r"), operators.Start("r"), operators.Logout("r")])
def test_other_commands_on_a_logged_out_session_make_it_ready_for_pairing(command: operators.Command) -> None:
    s = logged_out().restarted().link()
    done = s.tell(command)
    assert answer(done).error is None
    assert of(fx.ResetAuth, done)
    assert not opens(s.tell(connector.AuthReset()))
    assert s.at() is State.PAIRING


def test_an_auth_state_that_cannot_be_deleted_is_kept_out_of_use() -> None:
    s = logged_out()
    s.tell(operators.PairingRequested("r"))
    assert answer(s.tell(connector.AuthReset("vault_unavailable"))).error == "unavailable"
    assert s.at() is State.HALTED
    s.tell(host.LinkDown())
    assert answer(s.tell(operators.Reconnect("r"))).error == "unavailable"
    assert answer(s.tell(operators.PairingRequested("r"))).error == "unavailable"


def test_an_auth_state_deleted_by_the_actor_before_is_no_longer_in_the_way() -> None:
    s = logged_out().restarted().link(paired=False)
    assert s.at() is State.PAIRING


def test_reconnect_gives_an_open_session_a_new_connection() -> None:
    s = Session().open()
    done = s.tell(operators.Reconnect("r"))
    assert answer(done).error is None
    assert of(fx.CloseConnection, done)
    assert s.at() is State.CLOSING
    assert opens(s.tell(connector.Closed(0, "closed_by_us"))) == 1
    assert s.full.trouble is not None
    assert s.full.trouble.cause is Cause.OPERATOR_RECONNECT


def test_a_move_to_another_connector_process_closes_first_and_opens_over_the_next_link() -> None:
    s = Session().open()
    done = s.tell(host.Move())
    assert of(fx.CloseConnection, done)
    assert not of(fx.DropLink, done)
    done = s.tell(connector.Closed(0, "closed_by_us"))
    assert of(fx.DropLink, done)
    assert opens(done) == 0
    assert s.full.trouble is not None
    assert s.full.trouble.cause is Cause.CONNECTOR_RECYCLED
    s.tell(host.LinkDown(), host.LinkUp(False, "idle", True))
    assert opens(s.due()) == 1
    assert (s.at(), s.full.attempt) == (State.CONNECTING, 0)


def test_a_move_of_a_session_without_a_connection_is_another_link_and_nothing_else() -> None:
    s = Session().open()
    s.tell(connector.Closed(503, "stream_error"))
    timer = s.full.timer
    assert of(fx.DropLink, s.tell(host.Move()))
    s.tell(host.LinkDown(), host.LinkUp(False, "idle", True))
    assert (s.at(), s.full.timer) == (State.WAITING, timer)
    s = blocked()
    assert of(fx.DropLink, s.tell(host.Move()))
    s.tell(host.LinkDown(), host.LinkUp(False, "idle", True))
    assert (s.at(), s.full.connected) == (State.BLOCKED, False)


def test_a_stop_during_a_move_stops() -> None:
    s = Session().open()
    s.tell(host.Move(), operators.Stop("r"))
    assert opens(s.tell(connector.Closed(0, "closed_by_us"), host.LinkDown(), host.LinkUp(False, "idle", True))) == 0
    assert s.at() is State.STOPPED


def test_reconnect_does_not_wait() -> None:
    s = Session().open()
    s.tell(connector.Closed(428, "network"))
    assert opens(s.tell(operators.Reconnect("r"))) == 1


def test_reconnect_tries_a_blocked_account_once() -> None:
    s = blocked()
    assert opens(s.tell(operators.Reconnect("r"))) == 1
    s.tell(connector.Closed(403, "login_failure"))
    assert s.at() is State.BLOCKED
    assert s.full.timer is None


def test_start_pairing_and_logout_do_not_touch_a_blocked_account() -> None:
    s = blocked()
    for command in (operators.Start("r"), operators.PairingRequested("r"), operators.PairingCodeRequested("r", "49")):
        told = answer(s.tell(command))
        assert told.error == "refused"
        assert Cause.LOCKED.remedy in told.message
    assert answer(s.tell(operators.Logout("r"))).error == "not_open"
    assert s.at() is State.BLOCKED


def test_stop_closes_and_stays_over_restarts() -> None:
    s = Session().open()
    assert of(fx.CloseConnection, s.tell(operators.Stop("r")))
    (report,) = of(fx.ReportTransition, s.tell(connector.Closed(0, "closed_by_us")))
    assert (report.state, report.cause) == (State.STOPPED, Cause.OPERATOR_STOP)
    for enabled in (False, None):
        assert s.restarted(enabled).link().at() is State.STOPPED
    assert s.restarted(True).link().at() is State.STARTING
    for command in (operators.Reconnect("r"), operators.PairingRequested("r")):
        assert answer(s.tell(command)).error == "refused"


@pytest.mark.parametrize("enabled", [True, False])
def test_a_stop_does_not_hide_a_verdict(enabled: bool) -> None:
    s = blocked()
    s.tell(operators.Stop("r"))
    assert s.at() is State.STOPPED
    s = s.restarted(enabled).link()
    assert not opens(s.tell(operators.Start("r")))
    assert s.at() is State.BLOCKED


def test_start_after_a_stop_of_a_logged_out_session_makes_it_ready_for_pairing() -> None:
    s = logged_out()
    s.tell(operators.Stop("r"))
    assert of(fx.ResetAuth, s.tell(operators.Start("r")))
    s.tell(connector.AuthReset())
    assert s.at() is State.PAIRING


def test_start_undoes_a_stop_that_is_under_way() -> None:
    s = Session().open()
    s.tell(operators.Stop("r"), operators.Start("r2"))
    assert opens(s.tell(connector.Closed(0, "closed_by_us"))) == 1


def test_a_verdict_that_arrives_during_a_stop_is_not_lost() -> None:
    s = Session().open()
    s.tell(operators.Stop("r"), connector.Closed(401, "login_failure"))
    assert s.at() is State.STOPPED
    assert of(fx.ResetAuth, s.tell(operators.Start("r2")))


def test_stopping_a_session_without_a_connection_is_immediate() -> None:
    for s in (unpaired(), Session(), Session().link()):
        assert not of(fx.CloseConnection, s.tell(operators.Stop("r")))
        assert s.at() is State.STOPPED
        assert s.full.timer is None


def test_logout_is_answered_when_it_is_done() -> None:
    s = Session().open()
    done = s.tell(operators.Logout("r"))
    assert of(fx.LogoutConnection, done)
    assert not of(fx.AnswerCommand, done)
    assert answer(s.tell(operators.Logout("r2"))).error == "conflict"
    assert answer(s.tell(connector.Closed(401, "intentional_logout"))) == fx.AnswerCommand("r")
    assert s.at() is State.PAIRING
    assert not s.full.paired


def test_a_logout_cut_short_is_no_logout() -> None:
    for end in (host.LinkDown(), connector.Closed(428, "network")):
        s = Session().open()
        s.tell(operators.Logout("r"))
        assert answer(s.tell(end)).error == "unavailable"
        assert s.at() is State.WAITING


def test_commands_before_the_saved_state_is_known_are_put_off() -> None:

    _, effects = step(SessionState(), operators.Reconnect("r"), 0.0)
    assert answer(effects).error == "unavailable"


def test_a_connection_that_comes_up_while_the_auth_state_is_deleted_is_closed_first() -> None:
    s = logged_out()
    s.tell(operators.PairingRequested("r"), connector.Queued(1))
    done = s.tell(connector.AuthReset())
    assert answer(done).error == "unavailable"
    assert of(fx.CloseConnection, done)
    assert not opens(s.tell(connector.Closed(0, "closed_by_us")))
    assert s.at() is State.PAIRING


def test_a_reconnect_does_not_undo_a_stop_that_is_under_way() -> None:
    s = Session().open()
    s.tell(operators.Stop("r"))
    assert answer(s.tell(operators.Reconnect("r2"))).error == "refused"
    assert not opens(s.tell(connector.Closed(0, "closed_by_us")))
    assert s.at() is State.STOPPED


def test_that_the_device_was_thrown_out_outweighs_what_comes_after_it() -> None:
    s = logged_out()
    s.tell(connector.Closed(403, "login_failure"))
    assert s.at() is State.HALTED
    assert s.full.verdict is not None
    assert s.full.verdict.trouble.cause is Cause.LOGGED_OUT


def test_an_auth_state_in_place_of_one_that_was_thrown_out_is_not_deleted_by_the_next_start() -> None:
    s = logged_out()
    s.tell(operators.Stop("stop"))
    done = s.tell(operators.AuthTaken("taken", replaced=True))
    assert answer(done).error is None
    assert of(fx.DropLink, done)
    assert of(fx.ReportTransition, done), "it is stored, so that the next actor knows it too"
    s.tell(host.LinkDown())
    s.tell(host.LinkUp(False, "idle", paired=True))
    done = s.tell(operators.Start("start"))
    assert not of(fx.ResetAuth, done)
    assert opens(done) == 1


def test_a_start_waits_for_the_link_that_knows_of_the_new_auth_state() -> None:
    s = unpaired()
    s.tell(operators.Stop("stop"), operators.AuthTaken("taken", replaced=True), host.LinkDown())
    assert opens(s.tell(operators.Start("start"))) == 0
    s.tell(host.LinkUp(False, "idle", paired=True))
    assert s.full.timer
    assert opens(s.tell(clock.TimerDue(s.full.timer.token))) == 1


@pytest.mark.parametrize("thrown_out", [True, False])
def test_main_that_died_before_it_could_tell_of_a_new_auth_state_is_not_needed_for_it(thrown_out: bool) -> None:
    s = logged_out() if thrown_out else blocked()
    s.tell(operators.Stop("stop"))
    s = s.restarted(enabled=False)
    done = s.tell(host.LinkUp(False, "idle", paired=True, replaced=7))
    assert of(fx.ReportTransition, done), "it is stored, so that the next actor knows it too"
    assert (s.at(), s.full.verdict, s.full.stale_auth) == (State.STOPPED, None, False)
    s = s.restarted(enabled=False)
    assert not of(fx.ReportTransition, s.tell(host.LinkUp(False, "idle", paired=True, replaced=7)))
    done = s.tell(operators.Start("start"))
    assert not of(fx.ResetAuth, done)
    assert opens(done) == 1


def test_what_is_held_against_the_new_auth_state_stays() -> None:
    s = Session().open()
    s.tell(host.LinkDown(), host.LinkUp(False, "idle", paired=True, replaced=7))
    s.due()
    s.tell(connector.Closed(401, "login_failure"))
    assert s.full.stale_auth
    for replaced, stale in [(7, True), (8, False)]:
        s = s.restarted()
        done = s.tell(host.LinkUp(False, "idle", paired=True, replaced=replaced))
        assert s.full.stale_auth is stale
        assert opens(done) == (not stale), "who was started meanwhile goes on with the new one"


def test_a_new_auth_state_is_not_deleted_over_a_link_that_does_not_know_of_it() -> None:
    s = logged_out()
    s.tell(operators.Reconnect("again"))
    done = s.tell(connector.AuthReset("fenced"))
    assert of(fx.DropLink, done)
    done = s.tell(host.LinkDown(), host.LinkUp(False, "idle", paired=True, replaced=7))
    assert not of(fx.ResetAuth, done)
    assert opens(done) == 1


def test_a_read_auth_state_leaves_the_verdict_alone() -> None:
    s = logged_out()
    s.tell(operators.Stop("stop"))
    done = s.tell(operators.AuthTaken("taken", replaced=False))
    assert of(fx.DropLink, done)
    assert s.full.stale_auth


@pytest.mark.parametrize("replaced", [True, False])
def test_the_auth_state_of_a_session_that_is_not_stopped_is_nobodys_to_take(replaced: bool) -> None:
    s = Session().open()
    done = s.tell(operators.AuthTaken("taken", replaced))
    assert answer(done).error == "conflict"
    assert not of(fx.DropLink, done)
