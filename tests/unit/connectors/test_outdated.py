"""Who tries again after WhatsApp called a client outdated: everybody, once with each other client, and nobody else."""

import math
import os
from dataclasses import replace
from typing import Any

import pytest
from thespian.actors import ActorAddress

from actors.connectors.host.outdated import PATIENCE, Outdated
from actors.connectors.host.roster import Roster
from actors.messages.plans import SessionPlan
from actors.messages.sessions import SessionHello
from actors.store.records import CLIENT, SessionState

NOW = 1e6


def state(name: str, cause: str | None = None, number: int = 1, **data: Any) -> SessionState:
    return SessionState("a", 1, number, name, 0.0, cause, data=data)


def halted(number: int = 1, **data: Any) -> SessionState:
    return state("halted", "client_outdated", number, **data)


def tried(client: str) -> SessionState:
    """At rest since it was tried with that."""
    return SessionState("a", 1, 1, "halted", 0.0, "client_outdated", data={CLIENT: client})


def plan(*, enabled: bool = True, paused_until: float | None = None) -> SessionPlan:
    return SessionPlan("a", "baileys", enabled=enabled, paused_until=paused_until)


class Host:
    """A host with one session, whose actor is there."""

    def __init__(self, stored: SessionState | None, client: str | None, **planned: Any) -> None:
        self.roster = Roster({} if stored is None else {"a": stored})
        self.roster.plan([plan(**planned)])
        self.roster.enter(SessionHello("a", 1, os.getpid()), ActorAddress(None))
        self.outdated = Outdated(self.roster)
        if client is not None:
            self.outdated.use(client)

    def tell(self, state: SessionState) -> SessionState:
        """A transition, as it is stored."""
        marked = self.outdated.marked(state)
        self.roster.stored(marked)
        return marked


def test_a_daemon_with_another_client_tries_once() -> None:
    host = Host(tried("old"), None)
    assert host.outdated.due(NOW) == {}, "what the connector is, nobody knows yet"
    host.outdated.use("new")
    assert host.outdated.due(NOW) == {"a": "old"}
    host.tell(state("connecting", number=2))
    host.outdated.begins("a")
    assert host.outdated.due(NOW + PATIENCE) == {}
    assert host.tell(halted(3)).data[CLIENT] == "new"
    assert host.outdated.due(NOW + 9 * PATIENCE) == {}


def test_a_restart_with_the_same_client_tries_nothing() -> None:
    host = Host(tried("old"), "old")
    assert host.outdated.due(NOW) == {}
    assert host.tell(halted(2, resumed=True)).data[CLIENT] == "old", "told again by the actor after it"
    assert host.outdated.due(NOW) == {}


def test_an_attempt_that_was_on_its_way_with_the_old_client_is_repeated() -> None:
    host = Host(None, "old")
    host.outdated.begins("a")
    host.outdated.use("new")
    assert host.outdated.due(NOW) == {}
    host.tell(halted())
    assert host.outdated.due(NOW) == {"a": "old"}


@pytest.mark.parametrize("tells", [False, True])
def test_one_of_which_nobody_knows_the_client_tries_once(tells: bool) -> None:
    """Its host died meanwhile; ``tells``: whether the connector says when a connection begins."""
    host = Host(None, "new")
    host.tell(halted())
    assert host.outdated.due(NOW) == {"a": None}
    if tells:
        host.outdated.begins("a")
    host.tell(halted(2))
    assert host.outdated.due(NOW + 9 * PATIENCE) == {}


def test_an_order_that_was_lost_is_repeated() -> None:
    host = Host(tried("old"), "new")
    assert host.outdated.due(NOW) == {"a": "old"}
    assert host.outdated.due(NOW + PATIENCE / 2) == {}
    host.tell(halted(2, resumed=True))
    assert host.outdated.due(NOW + PATIENCE) == {"a": "old"}
    host.outdated.use("newer")
    assert host.outdated.due(NOW + PATIENCE) == {"a": "old"}, "another client, another order"


def test_a_paused_one_waits_for_the_end_of_the_pause_and_a_stopped_one_for_its_start() -> None:
    host = Host(tried("old"), "new", paused_until=NOW + 60.0)
    assert host.outdated.due(NOW) == {}
    assert host.outdated.due(NOW + 61.0) == {"a": "old"}
    for held in (plan(paused_until=math.inf), plan(enabled=False)):
        host = Host(tried("old"), "new")
        host.roster.plan([held])
        assert host.outdated.due(NOW) == {}
        host.roster.plan([replace(held, enabled=True, paused_until=None)])
        assert host.outdated.due(NOW) == {"a": "old"}


def test_what_rests_for_another_cause_is_left_alone() -> None:
    host = Host(None, "old")
    host.outdated.begins("a")
    other = state("halted", "forbidden")
    assert host.tell(other) == other
    host.outdated.use("new")
    assert host.outdated.due(NOW) == {}
