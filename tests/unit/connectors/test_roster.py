"""Who may send: what the states of the sessions, and the plan, say."""

import os
from typing import Any

import pytest
from thespian.actors import ActorAddress

from actors.connectors.host.roster import Roster, refusal
from actors.messages.plans import SessionPlan
from actors.messages.sessions import SessionHello
from actors.store.records import SessionState


def state(name: str, cause: str | None = None, **data: Any) -> SessionState:
    return SessionState("a", 1, 1, name, 0.0, cause, data=data)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (state("blocked", "banned"), "banned"),
        (state("halted", "logged_out"), "logged_out"),
        (state("halted"), "halted"),
        (state("pairing"), "not_paired"),
        (state("pairing", "pairing_expired"), "not_paired"),
        (state("pairing", "intentional_logout"), "intentional_logout"),
        (state("blocked", "temporary_ban", until=99.0), None),
        (state("stopped", "operator_stop"), None),
        (state("waiting", "connection_lost"), None),
        (state("open"), None),
    ],
)
def test_a_state_says_whether_anything_will_be_sent(found: SessionState, why: str | None) -> None:
    assert refusal(found) == why


def test_a_session_that_is_not_wanted_sends_nothing_until_it_is_back() -> None:
    roster = Roster({"a": state("open"), "b": state("halted", "banned"), "c": state("open", left=True)})
    roster.plan([SessionPlan("a", "simulator", enabled=True)])
    assert roster.refusing() == {"b": "session_removed", "c": "session_removed"}
    roster.plan([SessionPlan(id, "simulator", enabled=True) for id in "abc"])
    assert roster.refusing() == {"b": "banned"}


def test_who_is_there_is_told_of_a_pause_and_who_comes_later_is_given_it() -> None:
    roster = Roster({})
    roster.plan([SessionPlan("a", "simulator", enabled=True), SessionPlan("b", "simulator", enabled=True)])
    roster.enter(SessionHello("a", 1, os.getpid()), ActorAddress(None))
    paused = [SessionPlan(id, "simulator", enabled=True, paused_until=99.0) for id in "ab"]
    assert roster.repaused(paused) == [paused[0]]
    roster.plan(paused)
    assert roster.repaused(paused) == []
    entered = roster.enter(SessionHello("b", 1, os.getpid()), ActorAddress(None))
    assert entered is not None
    assert entered.paused_until == 99.0
    assert roster.repaused([SessionPlan(id, "simulator", enabled=True) for id in "ab"]) != []


@pytest.mark.parametrize(
    ("found", "paused_until", "unaware"),
    [
        (state("waiting", "connection_lost"), 99.0, True),
        (state("waiting", "connection_lost", held=True), 99.0, False),
        (state("open"), 99.0, False),
        (state("waiting", "connection_lost", held=True), None, True),
        (state("waiting", "connection_lost", held=True), 9.0, True),
        (state("waiting", "connection_lost"), None, False),
    ],
)
def test_a_state_says_whether_word_of_a_pause_was_lost(
    found: SessionState, paused_until: float | None, unaware: bool
) -> None:
    roster = Roster({"a": found})
    roster.plan([SessionPlan("a", "simulator", enabled=True, paused_until=paused_until)])
    assert roster.unaware(found, 50.0) is unaware
    assert roster.held_in_vain(50.0) == (["a"] if unaware and found.data.get("held") else [])
    assert roster.paused_until("a", 50.0) == (99.0 if paused_until == 99.0 else None)
