"""What a session tells its host: under which life, before and after the host was replaced."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from thespian.actors import ActorAddress

from actors.connectors.host.roster import Roster
from actors.messages.plans import SessionPlan
from actors.messages.sessions import SessionHello, SessionResume, Transition, TransitionStored
from actors.session.reporting import Reporting
from actors.store.records import SessionState

HOST, NEXT_HOST = ActorAddress("one"), ActorAddress("two")
PLAN = [SessionPlan("a", "simulator", enabled=True)]


class Told:
    """A session's reporting, and what it told."""

    def __init__(self, incarnation: int = 1) -> None:
        self.messages: list[Any] = []
        hello = SessionHello("a", incarnation, os.getpid())
        self.reporting = Reporting(hello, HOST, lambda _, message: self.messages.append(message))

    async def meets(self, roster: Roster) -> None:
        """Says hello, and gets an answer."""
        await asyncio.sleep(0)
        [hello] = [message for message in self.messages if isinstance(message, SessionHello)][-1:]
        member = roster.enter(hello, ActorAddress("session"))
        assert member is not None
        assert self.reporting.resume(SessionResume("a", hello.incarnation, member.life, None, True, None))

    def report(self, state: str) -> None:
        self.reporting.report(100.0, state, None, None, {})

    @property
    def transitions(self) -> list[tuple[int, int, str]]:
        found = [message for message in self.messages if isinstance(message, Transition)]
        return [(each.life, each.number, each.state) for each in found]


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    told = Told()
    running = asyncio.create_task(told.reporting.run())
    yield told
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def host(stored: SessionState | None = None) -> Roster:
    roster = Roster({} if stored is None else {"a": stored})
    roster.plan(PLAN)
    return roster


def row(life: int, number: int, state: str) -> SessionState:
    return SessionState("a", life, number, state, 100.0)


async def test_what_the_host_before_stored_and_did_not_confirm_is_not_told_as_new(told: Told) -> None:
    await told.meets(host())
    told.report("waiting")
    told.report("connecting")
    told.reporting.move(NEXT_HOST)
    await told.meets(host(row(1, 2, "connecting")))
    assert told.transitions == [(1, 1, "waiting"), (1, 2, "connecting")] * 2
    told.report("open")
    assert told.transitions[-1] == (1, 3, "open")


async def test_what_was_confirmed_is_not_told_again(told: Told) -> None:
    await told.meets(host())
    told.report("waiting")
    told.reporting.stored(TransitionStored("a", 1, 1))
    told.reporting.move(NEXT_HOST)
    await told.meets(host(row(1, 1, "waiting")))
    assert told.transitions == [(1, 1, "waiting")]


async def test_where_another_actor_was_stored_last_a_new_life_begins(told: Told) -> None:
    await told.meets(host(row(4, 7, "open")))
    told.report("waiting")
    assert told.transitions == [(5, 1, "waiting")]
    told.reporting.move(NEXT_HOST)
    await told.meets(host(row(6, 1, "open")))
    assert told.transitions[-1] == (7, 1, "waiting")


async def test_a_host_of_a_database_that_began_anew_takes_all_that_waits(told: Told) -> None:
    await told.meets(host(row(4, 7, "open")))
    told.report("waiting")
    told.reporting.move(NEXT_HOST)
    await told.meets(host())
    assert told.transitions[-1] == (1, 1, "waiting")
