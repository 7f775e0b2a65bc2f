"""From the simulator's faults to the verdict in virtual time, with all that is real between them but the processes.

The simulator's links, the folding of a session's events, samples each 10 s and reports each 5 s as the actors send
them, the health book and its canaries.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC
from itertools import count
from typing import Any

from actors.connectors.link_events import InboundMessage, LinkEvent, Opened
from actors.events import EventType
from actors.health.book import Book
from actors.health.canaries import Canaries
from actors.health.canary import Policy
from actors.health.listening import Listening
from actors.health.quality import bands
from actors.health.rhythm import Rhythm
from actors.health.score import Ageing
from actors.health.view import Scoring
from actors.health.weights import Weights
from actors.runtime.rpc import RemoteError
from actors.session.sample import Folder, Sample
from actors.session.state import SessionState
from actors.session.translate import translate
from actors.session.vocabulary import State
from actors.store.records import NewEvent, OutboxEvent
from tests.contract.peers import SessionPeer
from tests.unit.connectors.simulator.rig import Rig, rig
from tests.unit.connectors.simulator.virtual import EPOCH, in_virtual_time

BEAT, REPORT, LOOK, CANARY_LOOK = 10.0, 5.0, 10.0, 5.0
"""Seconds: the actors' own periods."""
HOUR, WEEK = 3600.0, 604_800.0
LONGEST = 6 * HOUR


class Fleet:
    """Sessions of one shard and what health makes of them."""

    def __init__(self, rig: Rig, policy: Policy, rhythms: dict[str, Rhythm]) -> None:
        numbers = count()
        self.rig = rig
        self.canaries = Canaries(policy, lambda: f"CANARY-{next(numbers)}")
        listening = Listening(self.canaries, UTC)
        listening.restore(rhythms)
        self.book = Book(Scoring(Weights(), Ageing()), bands(85, 65, 40), 3, listening=listening)
        self.turns: list[NewEvent] = []
        self.noticed = asyncio.Event()
        self.folders: dict[str, Folder] = {}
        self.samples: dict[str, list[Sample]] = {}
        self.peers: dict[str, SessionPeer] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        rig.host.inbox.on_event = self._host_hears(rig.host.inbox.on_event)

    @property
    def now(self) -> float:
        return EPOCH + self.rig.loop.time()

    def spawn(self, work: Any) -> None:
        self.tasks.add(asyncio.ensure_future(work))

    def _host_hears(self, confirm: Any) -> Any:
        def hear(event: LinkEvent) -> None:
            confirm(event)
            if isinstance(event, InboundMessage) and event.message_id.startswith("CANARY"):
                data = {"messageId": event.message_id}
                self.book.event(OutboxEvent(1, event.at / 1000, "session.canary", event.session, data), self.now)

        return hear

    async def add(self, session: str, phone: str) -> None:
        peer = self.peers[session] = await self.rig.session(session, {"paired": True, "phone": phone})
        folder = self.folders[session] = Folder(self.now)

        def hear(event: LinkEvent) -> None:
            if (translated := translate(event)) is not None:
                folder.fold(translated, event.at / 1000)

        peer.inbox.on_event = hear
        await peer.ask("open")
        await peer.next(Opened)
        data = {
            "state": "open",
            "previous": "connecting",
            "me": (await peer.status()).me,
            "versions": {"connector": "simulator 1"},
        }
        self.book.event(OutboxEvent(1, self.now, "session.state", session, data), self.now)
        self.spawn(self._beat(session, folder))

    async def _beat(self, session: str, folder: Folder) -> None:
        state = SessionState(state=State.OPEN)
        await asyncio.sleep(BEAT * (len(self.folders) * 0.37 % 1))
        while True:
            self.samples.setdefault(session, []).append(folder.take(state, self.now))
            await asyncio.sleep(BEAT)

    async def shard(self) -> None:
        while True:
            await asyncio.sleep(REPORT)
            samples, self.samples = self.samples, {}
            self.book.report(0, samples, (), self.now)
            self._publish(everybody=False)

    async def look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self._publish(everybody=True)

    def _publish(self, *, everybody: bool) -> None:
        self.book.changed(self.now, everybody=everybody)
        if turns := [turn for turn in self.book.turns() if turn.type is EventType.HEALTH_LIVENESS]:
            self.turns += turns
            self.noticed.set()

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(CANARY_LOOK)
            peers = self.book.peers()
            for canary in self.book.listening.begin(peers, self.now):
                self.spawn(self._send(canary.id, canary.sender, peers[canary.receiver].address))

    async def _send(self, id: str, sender: str, to: str) -> None:
        try:
            await self.rig.host.send(sender, id, to, "canary")
        except RemoteError:
            self.book.listening.refused(id, self.now)
        else:
            self.canaries.accepted(id, self.now)

    async def until(self, session: str, liveness: str) -> tuple[float, dict[str, Any]]:
        """When a session got that liveness, and the event's data."""
        while self.now < EPOCH + LONGEST:
            for turn in self.turns:
                if turn.session == session and turn.data["liveness"] == liveness:
                    return turn.at, dict(turn.data)
            self.noticed.clear()
            await self.noticed.wait()
        raise AssertionError(f"{session} never is {liveness}; there were {self.turns}, {self.canaries.counts}")

    def faulty(self) -> set[str | None]:
        return {turn.session for turn in self.turns if turn.data["liveness"] not in {"alive", "quiet"}}


def lively(rate: int, hours: Iterable[int] = range(168)) -> Rhythm:
    """Learned from that many busy minutes of each hour, over four weeks before the start."""
    rhythm = Rhythm(EPOCH - 4 * WEEK)
    for week in range(4):
        for hour in hours:
            begin = EPOCH - (4 - week) * WEEK + hour * HOUR
            rhythm.opened(begin - 120)
            for number in range(rate):
                rhythm.heard(begin + (number + 0.5) * HOUR / rate, UTC)
            rhythm.closed(begin + HOUR, UTC)
    return rhythm


@asynccontextmanager
async def fleet(size: int, policy: Policy, **rhythms: Rhythm) -> AsyncIterator[Fleet]:
    async with rig(heartbeatMs=10_000, heartbeatTimeoutMs=8_000, ackTimeoutMs=60_000) as r:
        known = Fleet(r, policy, rhythms)
        for number in range(size):
            await known.add(f"s{number}", f"1555000{number:02}")
        for work in (known.shard(), known.look(), known.watch()):
            known.spawn(work)
        try:
            yield known
        finally:
            for task in known.tasks:
                task.cancel()
            await asyncio.gather(*known.tasks, return_exceptions=True)


async def write(known: Fleet, session: str, every: float) -> None:
    """A stranger writes."""
    for number in count():
        message = {"session": session, "messageId": f"M-{number}", "from": "4915550000", "text": "hello"}
        await known.rig.host.ask("deliver", **message)
        await asyncio.sleep(every)


CANARIES = Policy(enabled=True, daily_budget=500)


@in_virtual_time
async def test_a_lively_session_that_goes_deaf_is_noticed_within_ten_minutes() -> None:
    async with fleet(5, CANARIES, s0=lively(40)) as known:
        known.spawn(write(known, "s0", 50.0))
        await asyncio.sleep(1800)
        assert known.turns
        assert not known.faulty()
        await known.rig.fault("s0", "deaf")
        began = known.now
        at, data = await known.until("s0", "deaf")
        assert 120 < at - began < 600
        assert data["evidence"]["canariesMissed"] >= 2
        assert data["evidence"]["heartbeatAgeSeconds"] <= 25
        assert began - 60 <= data["since"] <= began
        assert known.faulty() == {"s0"}


@in_virtual_time
async def test_a_deaf_session_to_which_nothing_comes_is_noticed_within_the_interval() -> None:
    policy = Policy(enabled=True, interval=900, daily_budget=500)
    async with fleet(3, policy) as known:
        await asyncio.sleep(1500)
        assert not known.faulty()
        await known.rig.fault("s1", "deaf")
        began = known.now
        at, _ = await known.until("s1", "deaf")
        assert at - began <= policy.interval
        await asyncio.sleep(600)
        assert known.faulty() == {"s1"}


@in_virtual_time
async def test_without_canaries_nobody_is_called_deaf() -> None:
    async with fleet(2, Policy(), s0=lively(40)) as known:
        known.spawn(write(known, "s0", 50.0))
        await asyncio.sleep(600)
        await known.rig.fault("s0", "deaf")
        _, data = await known.until("s0", "quiet")
        await asyncio.sleep(HOUR / 2)
        assert data["evidence"]["silenceProbability"] < 1e-3
        assert not known.faulty()
        assert not any(any(counts.values()) for counts in known.canaries.counts.values())


@in_virtual_time
async def test_stuck_sends_are_noticed_within_a_minute_whenever_they_are_sent() -> None:
    async with fleet(10, Policy()) as known:
        await asyncio.sleep(30)
        sent: dict[str, float] = {}
        for session in known.peers:
            await known.rig.fault(session, "outbound_stuck")
            await asyncio.sleep(1.7)
            sent[session] = known.now
            known.spawn(known.rig.host.send(session, "M-1", "4915550000"))
        for session, at in sent.items():
            noticed, data = await known.until(session, "outbound_stuck")
            assert noticed - at < 60
            assert abs(data["since"] - at) < 1
            assert data["evidence"]["heartbeatAgeSeconds"] < 25


@in_virtual_time
async def test_quiet_sessions_stay_what_they_are() -> None:
    async with fleet(2, Policy()) as known:
        await asyncio.sleep(1.2 * HOUR)
        assert [turn.data["liveness"] for turn in known.turns] == ["alive", "alive", "quiet", "quiet"]
