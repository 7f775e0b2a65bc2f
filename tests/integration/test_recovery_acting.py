"""Orders of recovery on a real ledger: what is stored is given, whatever happens between, and never taken for tried."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from thespian.actors import ActorAddress

from actors.events import EventType
from actors.messages.services import Command, CommandResult
from actors.recovery.acting import Acting
from actors.recovery.book import Book
from actors.recovery.ledger import Ledger
from actors.recovery.orders import Orders
from actors.store import recovery_queries
from actors.store.engine import Database, open_writer
from actors.store.migrate import upgrade
from actors.store.records import OutboxEvent, SessionState
from actors.store.tables import Kind

pytestmark = pytest.mark.integration

ME = ActorAddress("recovery")


class Clocks:
    now = 1000.0
    steady = 50.0

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.steady += seconds


class Actor:
    """One life of the recovery actor, without its messages."""

    def __init__(self, database: Database, ledger: Ledger, clocks: Clocks) -> None:
        self.database, self.ledger, self.clocks = database, ledger, clocks
        self.given: list[tuple[str, str, str]] = []
        self.there = True
        self.on_give: Callable[[], None] = lambda: None
        self.orders = Orders(self._tell, lambda address, message: None, ME)
        self.acting = Acting(
            ledger, self.orders, database.watch, lambda _: None, lambda: clocks.now, lambda: clocks.steady
        )

    def _tell(self, name: str, command: Command) -> bool:
        self.on_give()
        if self.there:
            self.last = command
            self.given.append((name, command.name, command.args["strategy"]))
        return self.there

    async def look(self, *behind: str) -> list[tuple[str, str, str]]:
        """Lets it act; what it has given."""
        before = len(self.given)
        await self.acting.act(behind, {})
        return self.given[before:]

    async def outcomes(self) -> list[tuple[str, str | None]]:
        async with self.database.begin() as conn:
            row = (await recovery_queries.latest_episodes(conn, "a", 1))[0]
            return [(a.strategy, a.outcome) for a in await recovery_queries.actions_in(conn, row.id)]

    async def stands(self, seq: int, previous: str, state: str, cause: str | None = None) -> None:
        data = {"previous": previous, "state": state, "cause": cause}
        event = OutboxEvent(seq, self.clocks.now, str(EventType.SESSION_STATE), "a", data)
        await self.ledger.account("shard-0", [event])


@asynccontextmanager
async def actor(folder: Path, clocks: Clocks) -> AsyncIterator[Actor]:
    upgrade(folder / "recovery.db", Kind.RECOVERY)
    async with await open_writer(folder / "recovery.db") as database:
        ledger = Ledger(database, Book())
        await ledger.load(clocks.now)
        born = Actor(database, ledger, clocks)
        ledger.book.states("shard-0", {"a": SessionState("a", 1, 1, "open", 10.0)})
        yield born


async def deaf(actor: Actor) -> None:
    data = {"liveness": "deaf", "since": 500.0}
    await actor.ledger.account("health", [OutboxEvent(7, actor.clocks.now, "health.liveness", "a", data)])


FIRST = ("shard-0/host", "heal", "reconnect")


@pytest.mark.parametrize("away", [1.0, 60.0, 86400.0])
async def test_what_was_stored_and_not_given_is_given_by_the_next_actor(tmp_path: Path, away: float) -> None:
    clocks = Clocks()
    async with actor(tmp_path, clocks) as first:
        await deaf(first)

        def killed() -> None:
            raise RuntimeError

        first.on_give = killed
        with pytest.raises(RuntimeError):
            await first.look()
    clocks.pass_by(away)
    async with actor(tmp_path, clocks) as second:
        second.there = False  # it has not heard of its host yet
        assert await second.look() == []
        clocks.pass_by(5)
        second.there = True
        assert await second.look("shard-0") == [], "its news may tell that it was given"
        assert await second.look() == [FIRST]
        for _ in range(8):
            clocks.pass_by(5)
            assert await second.look() == [], "once"
        assert await second.outcomes() == [("reconnect", None)]
        await second.stands(20, "open", "closing")
        await second.stands(21, "closing", "connecting", "deaf")
    async with actor(tmp_path, clocks) as third:
        assert await third.look() == []


async def test_what_was_given_and_has_begun_is_not_given_again(tmp_path: Path) -> None:
    clocks = Clocks()
    async with actor(tmp_path, clocks) as first:
        await deaf(first)
        assert await first.look() == [FIRST]
    async with actor(tmp_path, clocks) as second:
        await second.stands(20, "open", "closing")
        assert await second.look() == []


async def test_a_session_that_has_the_order_twice_refuses_none(tmp_path: Path) -> None:
    clocks = Clocks()
    async with actor(tmp_path, clocks) as first:
        await deaf(first)
        assert await first.look() == [FIRST]
    async with actor(tmp_path, clocks) as second:
        assert await second.look() == [FIRST]
        answer = CommandResult(second.last.correlation, error=("not_open", "the session is closing"))
        assert second.orders.answered(answer) is None
    async with actor(tmp_path, clocks) as third:
        assert await third.look() == [FIRST]
        answer = CommandResult(third.last.correlation, error=("unavailable", "its actor is starting"))
        assert third.orders.answered(answer) == "a"


async def test_an_operators_order_is_given_again_as_such(tmp_path: Path) -> None:
    clocks = Clocks()
    asked = Command(1, "a", "force", {"strategy": "reconnect", "who": "eve"}, ActorAddress("main"))
    async with actor(tmp_path, clocks) as first:
        assert await first.acting.force(asked) is None
    async with actor(tmp_path, clocks) as second:
        assert await second.look() == [("shard-0/host", "reconnect", "reconnect")]
        assert second.last.args["cause"] == "operator_reconnect"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_machine_that_sleeps_makes_no_order_a_failure(tmp_path: Path, when: str) -> None:
    clocks = Clocks()
    async with actor(tmp_path, clocks) as awake:
        await deaf(awake)

        def sleeps() -> None:
            clocks.now += 7200.0

        if when == "before":
            awake.on_give = sleeps
        assert await awake.look() == [FIRST]
        awake.on_give = lambda: None
        if when == "after":
            sleeps()
        for _ in range(8):
            clocks.pass_by(5)
            assert await awake.look() == []
        clocks.pass_by(10)
        assert await awake.look() == [("shard-0/host", "heal", "restart")], "nobody has done it in all that time"


async def test_a_stopped_process_gives_late_and_waits_from_then_on(tmp_path: Path) -> None:
    clocks = Clocks()
    async with actor(tmp_path, clocks) as stopped:
        await deaf(stopped)
        stopped.on_give = lambda: clocks.pass_by(60.0)
        assert await stopped.look() == [FIRST]
        stopped.on_give = lambda: None
        clocks.pass_by(5)
        assert await stopped.look() == []


@pytest.mark.parametrize("back", [30.0, 3600.0, 864000.0])
async def test_a_clock_that_is_set_back_holds_up_nothing(tmp_path: Path, back: float) -> None:
    clocks = Clocks()
    clocks.now += 1e6
    async with actor(tmp_path, clocks) as here:
        await deaf(here)
        assert await here.look() == [FIRST]
        await here.acting.refused("a")
        clocks.now -= back
        waited = 0
        while not await here.look():
            clocks.pass_by(5)
            waited += 5
        assert waited == 30
        assert await here.outcomes() == [("reconnect", "refused"), ("reconnect", None)]
