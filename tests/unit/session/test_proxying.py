"""A session with a proxy: nothing is opened past it, and a change of it moves the connection."""

import pytest

from actors.session import effects as fx
from actors.session.causes import Cause
from actors.session.inputs import connector, host, operators
from actors.session.state import Goal, Proxy
from actors.session.vocabulary import State
from tests.unit.session.driver import Session, of, opens

ONE, OTHER = Proxy("berlin", "berlin.1"), Proxy("berlin", "berlin.2")
FAILED = connector.Closed(
    0, "proxy", "the proxy could not be reached", {"proxy": "unreachable", "errno": "ECONNREFUSED"}
)


def with_proxy(proxy: Proxy | None = ONE) -> Session:
    session = Session()
    session.tell(host.ProxyChanged(proxy))
    return session


def up(
    session: Session, phase: str = "idle", *, paired: bool = True, proxied: str | None = None, can: bool = True
) -> tuple[fx.Effect, ...]:
    return session.tell(host.LinkUp(phase != "idle", phase, paired, proxied=proxied, can_proxy=can))


def opened(session: Session) -> Session:
    up(session)
    session.due()
    session.tell(connector.Connecting(), connector.Opened("me"))
    assert session.at() is State.OPEN
    return session


def test_what_it_opens_goes_through_its_proxy() -> None:
    s = opened(with_proxy())
    assert s.full.proxied == ONE.mark


@pytest.mark.parametrize(
    ("proxy", "can", "why"), [(ONE, False, "unsupported"), (Proxy("x", known=False), True, "unknown")]
)
def test_it_halts_rather_than_connect_past_its_proxy(proxy: Proxy, can: bool, why: str) -> None:
    s = with_proxy(proxy)
    up(s, can=can)
    done = s.due()
    assert not opens(done)
    assert s.at() is State.HALTED
    (report,) = of(fx.ReportTransition, done)
    assert (report.cause, report.data["proxy"], report.data["name"]) == (Cause.PROXY_UNUSABLE, why, proxy.name)
    assert proxy.name in report.message


def test_a_pairing_that_would_go_past_it_is_refused() -> None:
    s = with_proxy()
    up(s, paired=False, can=False)
    done = s.tell(operators.PairingRequested("p"))
    assert not opens(done)
    (answer,) = of(fx.AnswerCommand, done)
    assert (answer.ref, answer.error) == ("p", "refused")
    assert s.at() is State.HALTED


def test_what_it_was_halted_for_ends_with_it() -> None:
    s = with_proxy()
    up(s, can=False)
    s.due()
    assert opens(s.tell(host.ProxyChanged(None))) == 1
    assert s.at() is State.CONNECTING


def test_also_over_a_restart_with_another_connector() -> None:
    s = with_proxy()
    up(s, can=False)
    s.due()
    again = s.restarted()
    again.tell(host.ProxyChanged(ONE))
    assert not opens(up(again, can=False))
    assert again.at() is State.HALTED
    again.tell(host.LinkDown())
    assert opens(up(again)) == 1
    assert again.at() is State.CONNECTING


def test_an_operator_who_wants_it_connected_gets_no_connection_past_it() -> None:
    s = with_proxy()
    up(s, can=False)
    s.due()
    assert not opens(s.tell(operators.Reconnect("r")))
    assert s.at() is State.HALTED


def test_a_stopped_one_stays_stopped() -> None:
    s = with_proxy()
    up(s, can=False)
    s.due()
    s.tell(operators.Stop("x"))
    assert not opens(s.tell(host.ProxyChanged(None)))
    assert s.at() is State.STOPPED
    assert opens(s.tell(operators.Start("y"))) == 1


@pytest.mark.parametrize("wanted", [OTHER, None])
def test_a_change_moves_an_open_connection(wanted: Proxy | None) -> None:
    s = opened(with_proxy())
    done = s.tell(host.ProxyChanged(wanted))
    assert of(fx.CloseConnection, done)
    assert s.full.goal is Goal.REOPEN
    assert opens(s.tell(connector.Closed(0, "closed_by_us"))) == 1
    assert s.full.proxied == (wanted.mark if wanted else None)


def test_nothing_changes_for_who_has_the_same_proxy() -> None:
    s = opened(with_proxy())
    assert s.tell(host.ProxyChanged(ONE)) == ()


def test_a_connection_that_outlived_its_actor_is_kept_only_if_it_goes_the_right_way() -> None:
    s = with_proxy()
    assert not of(fx.CloseConnection, up(s, "open", proxied=ONE.mark))
    assert s.at() is State.OPEN
    for proxied in (None, OTHER.mark):
        s = with_proxy()
        assert of(fx.CloseConnection, up(s, "open", proxied=proxied))
        assert opens(s.tell(connector.Closed(0, "closed_by_us"))) == 1


def test_a_proxy_that_fails_is_tried_again_and_never_passed_by() -> None:
    s = opened(with_proxy())
    for _ in range(5):
        s.tell(FAILED)
        assert s.at() is State.WAITING
        assert s.full.trouble is not None
        assert s.full.trouble.cause is Cause.PROXY_FAILED
        assert opens(s.retry()) == 1
        assert s.full.proxied == ONE.mark


def test_who_waits_for_a_proxy_that_failed_tries_another_one_at_once() -> None:
    s = opened(with_proxy())
    s.tell(FAILED)
    assert opens(s.tell(host.ProxyChanged(OTHER))) == 1
