"""Gatekeepers of several hosts with a board between them, and real simulators, in virtual time."""

import asyncio
import contextlib
import errno
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from actors.admission.detours import Detours, Proxy
from actors.admission.ledger import Ledger
from actors.admission.queue import Queue
from actors.connectors.host.gatekeeper import SPREAD, Gatekeeper
from actors.connectors.link_events import Closed, LinkEvent, PhaseChanged, Reached
from actors.connectors.protocol import Admission, ErrorCode, Phase
from actors.runtime.rpc import RemoteError
from actors.session.causes import Cause, classify
from tests.contract.peers import SessionPeer
from tests.unit.admission.test_slots import most_in_a_second
from tests.unit.connectors.simulator.rig import Rig, rig
from tests.unit.connectors.simulator.virtual import EPOCH, VirtualLoop, in_virtual_time

BY_HOST = Admission(1.0, 1, 2, by_host=True)
BOUND = 5.0


class Shard:
    """A simulator, its gatekeeper, and sessions that open again whenever they are closed."""

    def __init__(
        self,
        number: int,
        rig: Rig,
        path: Path,
        importance: Mapping[str, int],
        proxy_of: Callable[[str], Proxy | None] = lambda _: None,
    ) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.rig = rig
        self.path = path
        self.loop = loop
        self.connects: list[tuple[float, str]] = []
        self.opens: list[tuple[float, str]] = []
        self.open: set[str] = set()
        self.rng = random.Random(number)
        self.own: float | None = None
        self.proxy_of = proxy_of
        self.tasks: list[asyncio.Task[None]] = []
        queue = Queue(lambda session: importance.get(session, 0), lambda _: False, 2)
        link_of = lambda _: rig.host.link  # noqa: E731
        detours = Detours(proxy_of)
        self.gate = Gatekeeper(number, Ledger(path), queue, link_of, clock=loop.time, wall=loop.wall, detours=detours)
        self.running = asyncio.ensure_future(self.gate.run())
        before = rig.host.inbox.on_event

        def hear(event: LinkEvent) -> None:
            before(event)
            if isinstance(event, PhaseChanged):
                self.hear(event)
            elif isinstance(event, Reached):
                self.gate.reached(event)

        rig.host.inbox.on_event = hear

    def hear(self, event: PhaseChanged) -> None:
        """What the host is told."""
        self.gate.phase(event)
        now = self.loop.time()
        self.open.discard(event.session)
        if event.phase is Phase.CONNECTING:
            self.connects.append((now, event.session))
        if event.phase is Phase.OPEN:
            self.open.add(event.session)
            self.opens.append((now, event.session))

    async def start(self, *sessions: str) -> None:
        """So many sessions that want to be open."""
        self.gate.use(BOUND, self.own, 1.0, len(self.tasks) + len(sessions))
        for session in sessions:
            self.tasks.append(asyncio.ensure_future(self.keep(session, await self.rig.session(session))))

    async def keep(self, session: str, peer: SessionPeer) -> None:
        while True:
            proxy = {"id": "p", "url": "http://somewhere.example"} if self.proxy_of(session) else None
            with contextlib.suppress(RemoteError):
                await peer.ask("open", proxy=proxy)
            closed = await peer.next(Closed, 1e9)
            cause = classify(closed.code, closed.reason, closed.data)
            self.gate.ended(session, cause)
            if cause is Cause.CLIENT_OUTDATED:
                return
            await asyncio.sleep(self.rng.uniform(0, 32))

    def tries(self) -> list[str]:
        """The sessions that want to be open and are not."""
        return sorted({session for _, session in self.opens} - self.open)

    async def stop(self) -> None:
        """Ends its tasks."""
        for task in (self.running, *self.tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.gate.stop()


@asynccontextmanager
async def fleet(
    shards: int,
    importance: Mapping[str, int] | None = None,
    proxy_of: Callable[[str], Proxy | None] = lambda _: None,
) -> AsyncIterator[list[Shard]]:
    """Hosts of one connector."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="adm")))
        found = []
        for number in range(shards):
            simulator = await stack.enter_async_context(rig(BY_HOST))
            found.append(Shard(number, simulator, folder / "board", importance or {}, proxy_of))
            stack.push_async_callback(found[-1].stop)
        yield found


async def until_open(shards: list[Shard], count: int, within: float) -> float:
    """Waits in virtual time; how long it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while sum(len(shard.open) for shard in shards) < count:
        assert loop.time() - began < within, [shard.gate.report() for shard in shards]
        await asyncio.sleep(0.05)
    return loop.time() - began


def connects(shards: list[Shard]) -> list[float]:
    """When connections began, over all."""
    return sorted(at for shard in shards for at, _ in shard.connects)


@in_virtual_time
async def test_a_fleet_opens_at_its_bound_and_never_beyond() -> None:
    async with fleet(4) as shards:
        for number, shard in enumerate(shards):
            await shard.start(*(f"s{number}-{n}" for n in range(4 + 8 * number)))
        took = await until_open(shards, 64, 60)
        assert took <= 64 / BOUND * 1.06, "the server's answers are told, so nothing is kept for what is not known"
        assert most_in_a_second(connects(shards)) <= BOUND
        assert sum(shard.gate.admitted for shard in shards) == 64


@in_virtual_time
async def test_a_host_without_room_for_the_board_joins_the_others_when_there_is() -> None:
    async with fleet(1) as (shard,):
        await shard.stop()
        room = False
        path, loop, link = shard.path, shard.loop, shard.rig.host.link

        def opens() -> Ledger:
            if not room:
                raise OSError(errno.ENOSPC, "no room")
            return Ledger(path)

        queue = Queue(lambda _: 0, lambda _: False, 2)
        shard.gate = Gatekeeper(0, Ledger(), queue, lambda _: link, clock=loop.time, wall=loop.wall, fleet=opens)
        shard.gate.use(BOUND, None, 0.1, 40)
        shard.running = asyncio.ensure_future(shard.gate.run())
        shard.tasks.clear()
        for number in range(40):
            session = f"s{number}"
            shard.tasks.append(asyncio.ensure_future(shard.keep(session, await shard.rig.session(session))))
        await asyncio.sleep(20)
        assert len(shard.connects) <= 0.1 * BOUND * 20 + 1
        room = True
        await asyncio.sleep(30)
        assert len(shard.open) == 40
        assert 0 in Ledger(path).read().rows


@in_virtual_time
async def test_a_connector_that_calls_every_slot_late_is_not_asked_without_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with fleet(1) as (shard,):
        real, asked = shard.gate._link_of, 0

        class Late:
            async def request(self, *_: object, **__: object) -> None:
                nonlocal asked
                asked += 1
                assert asked < 1000, "it is asked without a pause"
                raise RemoteError(ErrorCode.LATE, "it is over")

        shard.gate._link_of = lambda _: Late()  # type: ignore[assignment,return-value]
        await shard.start("s")
        await asyncio.sleep(10)
        assert 0 < asked <= 10 / SPREAD + 1
        assert [record.message for record in caplog.records].count(
            "the connector is late for a slot before it ends: does it read CLOCK_MONOTONIC?"
        ) == 1
        shard.gate._link_of = real
        await asyncio.sleep(10)
        assert shard.open == {"s"}, "with the right time it goes on"


@in_virtual_time
async def test_one_shard_alone_gets_the_whole_bound() -> None:
    async with fleet(4) as shards:
        await shards[2].start(*(f"s{n}" for n in range(20)))
        assert await until_open(shards, 20, 60) <= 20 / BOUND * 1.2 + 0.2


@in_virtual_time
async def test_a_process_may_have_a_bound_of_its_own() -> None:
    async with fleet(2) as shards:
        shards[0].own = 1.0
        for number, shard in enumerate(shards):
            await shard.start(*(f"s{number}-{n}" for n in range(10)))
        assert await until_open(shards[1:], 10, 60) <= 10 / (BOUND - 1) * 1.3, "the other one takes what it leaves"
        assert await until_open(shards, 20, 60) <= 10 * 1.3
        assert most_in_a_second([at for at, _ in shards[0].connects]) == 1


@in_virtual_time
async def test_the_important_are_back_first_in_the_whole_fleet() -> None:
    importance = {f"s{shard}-{n}": 10 if n % 4 == 0 else -10 * (n % 4 == 1) for shard in range(3) for n in range(12)}
    async with fleet(3, importance) as shards:
        for number, shard in enumerate(shards):
            await shard.start(*(f"s{number}-{n}" for n in range(12)))
        await until_open(shards, 36, 60)
        order = [importance[session] for _, session in sorted(o for shard in shards for o in shard.opens)]
        # the slots that are taken ahead, and the first of all, are not given back for somebody more urgent
        assert sum(order[:12]) >= 80, order
        assert sum(order[-8:]) <= -60, order


@in_virtual_time
async def test_a_time_without_a_server_costs_few_connects_and_is_over_at_once() -> None:
    async with fleet(3) as shards:
        for number, shard in enumerate(shards):
            await shard.start(*(f"s{number}-{n}" for n in range(10)))
        await until_open(shards, 30, 60)
        for shard in shards:
            shard.connects.clear()
            await shard.rig.host.ask("fault", session="*", fault="unavailable", for_s=900)
        await asyncio.sleep(890)
        assert len(connects(shards)) < 900 * 0.15
        assert most_in_a_second(connects(shards)) <= BOUND
        outage = shards[0].gate.report()["outage"]
        assert outage == {"since": outage["since"], "cause": "service_unavailable", "fleet": True}
        assert EPOCH < outage["since"] < EPOCH + 60
        tried = {session for shard in shards for _, session in shard.connects}
        assert len(tried) == 30, "no account alone takes the refusals"
        await asyncio.sleep(10)
        took = await until_open(shards, 30, 60)
        assert took <= 10 + 30 / BOUND * 1.2 + 32
        assert most_in_a_second(connects(shards)) <= BOUND
        assert all(shard.gate.report()["outage"] is None for shard in shards)


@in_virtual_time
async def test_trouble_of_one_process_slows_that_one_only() -> None:
    async with fleet(3) as shards:
        for number, shard in enumerate(shards):
            await shard.start(*(f"s{number}-{n}" for n in range(10)))
        await until_open(shards, 30, 60)
        await shards[0].rig.host.ask("fault", session="*", fault="unavailable", for_s=1200)
        await asyncio.sleep(200)
        assert shards[0].gate.report()["outage"]["fleet"] is False
        shards[0].connects.clear()
        for _ in range(5):
            await shards[1].rig.host.ask("fault", session="*", fault="drop")
            await until_open(shards[1:], 20, 40)
            assert shards[1].gate.report()["outage"] is None
        await asyncio.sleep(400)
        assert len(shards[0].connects) < 600 * 0.15
        await asyncio.sleep(400)
        await until_open(shards, 30, 60)


@in_virtual_time
async def test_an_outdated_client_costs_few_sessions_their_try() -> None:
    async with fleet(2) as shards:
        for number, shard in enumerate(shards):
            await shard.rig.host.ask("ping")
            await shard.start(*(f"s{number}-{n}" for n in range(16)))
        await until_open(shards, 32, 60)
        for shard in shards:
            shard.connects.clear()
            await shard.rig.host.ask("fault", session="*", fault="drop")
            await shard.rig.host.ask("fault", session="*", fault="client_outdated")
        await asyncio.sleep(1000)
        tried = len(connects(shards))
        assert 8 <= tried <= 12
        waits = next(s for s in shards[0].tries() if s not in {session for _, session in shards[0].connects})
        shards[0].gate.hurry(waits)
        await asyncio.sleep(2)
        assert [session for _, session in shards[0].connects][-1:] == [waits], "who acts is not held"
        tried = len(connects(shards))
        for shard in shards:
            await shard.rig.host.ask("clear", session="*")
            shard.gate.try_again()
        await until_open(shards, 32 - tried, 60)


@in_virtual_time
async def test_a_host_that_dies_takes_at_most_a_slot_along() -> None:
    async with fleet(3) as shards:
        for number, shard in enumerate(shards):
            await shard.start(*(f"s{number}-{n}" for n in range(10)))
        await asyncio.sleep(1)
        shards[1].running.cancel()  # as a kill would: its row stays
        alive = [shards[0], shards[2]]
        await until_open(alive, 20, 20 / BOUND * 1.4 + 2)
        assert most_in_a_second(connects(shards)) <= BOUND
