"""Lets the sessions of one host connect, one by one: in their order, and only in slots of the whole fleet.

The queue and the slots are pure (``actors.admission``); this is their clock, their file and their link.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from actors.admission import board
from actors.admission.board import Ask, Board, Later, Slot
from actors.admission.detours import Detours
from actors.admission.ledger import Ledger
from actors.admission.queue import Queue
from actors.admission.slots import USABLE, gap
from actors.connectors.host.passage import Passage
from actors.connectors.host.reaching import Reaching
from actors.connectors.host.troubles import Troubles
from actors.connectors.link_events import PhaseChanged, Reached
from actors.connectors.protocol import ErrorCode, Phase
from actors.runtime.rpc import Link, LinkClosed, RemoteError
from actors.session.causes import Cause
from actors.session.change import is_failure, read_change
from actors.session.vocabulary import State
from actors.store.records import SessionState

log = logging.getLogger(__name__)

ANSWER_PATIENCE = 2.0
"""Seconds for the connector to answer ``admit``: meanwhile its host takes no other slot."""
LEAST_SHARE = 0.01
"""Of the bound, for a host that has no sessions."""
SPREAD = 0.05
"""Seconds over which hosts that look again for a slot do so, so that the quickest is not always the same."""
DISK_PAUSE = 1.0
"""Seconds before a board that can't be written is tried again; nobody is admitted meanwhile."""
BOARD_PERIOD = 10.0
"""Seconds between two tries to have the board of the fleet, by a host with one of its own."""


class Gatekeeper:
    """``link_of`` gives the link to the connector that a session waits at, ``clock`` is CLOCK_MONOTONIC in seconds.

    ``fleet`` opens the board of the fleet, or raises OSError: tried from time to time while ``ledger`` is another.
    """

    def __init__(
        self,
        shard: int,
        ledger: Ledger,
        queue: Queue,
        link_of: Callable[[str], Link | None],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        fleet: Callable[[], Ledger] | None = None,
        detours: Detours | None = None,
    ) -> None:
        self._shard = shard
        self._ledger = ledger
        self._queue = queue
        self._link_of = link_of
        self._clock = clock
        self._wall = wall
        self._passage = Passage(detours or Detours())
        self._troubles = Troubles(shard, self._passage)
        self._reaching = Reaching()
        self._wake = asyncio.Event()
        self._open_fleet = fleet
        self._retry_at = clock() + BOARD_PERIOD
        self._bounds = (0.0, 0.0)
        self._own_rate: float | None = None
        self._free_at = float("-inf")
        """When this host's own bound lets it take another slot."""
        self._members = 0
        self._hurried: set[str] = set()
        """Sessions that an operator wants to connect now."""
        self._chosen: str | None = None
        """For whom the last slot was taken."""
        self._unused: Slot | None = None
        """A slot that was taken and not used."""
        self._told = False
        self.admitted = 0
        """Connections let in, in the life of this host."""
        self.crowd = 0
        """Sessions of other hosts that waited at the last look."""
        self.lost = 0
        """Slots that went by, since the connector was too late to use them."""
        self._other_clock = False
        """Whether it was told that the connector seems to read another one."""

    def use(self, bound: float, own: float | None, share: float, members: int) -> None:
        """New bounds: connects per second of the fleet and of this host, its share of the fleet's (0-1).

        ``members``: how many sessions of it should run.
        """
        self._own_rate = own
        self._bounds = (bound, bound * (share or LEAST_SHARE))
        self._members = members
        self._wake.set()

    def report(self) -> dict[str, Any]:
        """For the metrics."""
        outage = self._troubles.outage()
        told = outage and {"since": outage.since, "cause": outage.cause, "fleet": self._troubles.fleet.on}
        counts = {"admitted": self.admitted, "slotsLost": self.lost, "waiting": len(self._queue)}
        return {**counts, "outage": told, "proxies": self._passage.detours.failing()}

    # what happens to the sessions

    def phase(self, event: PhaseChanged) -> None:
        """A connection changed its phase."""
        session = event.session
        if event.phase is Phase.QUEUED:
            self._queue.enter(session, self._clock(), pairing=event.pairing is True)
        elif event.phase is Phase.CONNECTING:
            self._queue.admitted(session, self._clock())
        else:
            self._queue.leave(session)
        if event.phase is Phase.IDLE:
            self._reaching.over(session, self._clock())
        if event.phase in {Phase.CONNECTING, Phase.OPEN}:
            self._hurried.discard(session)
        if event.phase in {Phase.OPEN, Phase.PAIRING}:
            self._troubles.through(session)
        self._wake.set()

    def reached(self, event: Reached) -> None:
        """The server has answered a connection."""
        self._reaching.answered(event.session, event.clock / 1000)

    def stored(self, state: SessionState) -> None:
        """A session changed its state."""
        change = read_change(state.since, {**state.data, "state": state.state, "cause": state.cause})
        if change is not None and change.previous is State.CONNECTING and is_failure(change):
            self.ended(state.session, change.cause or Cause.UNKNOWN)

    def ended(self, session: str, cause: Cause) -> None:
        """An attempt ended for that cause before it was open."""
        if self._troubles.ended(session, cause, self._clock(), self._wall()):
            self._wake.set()

    def forget(self, session: str) -> None:
        """The session is no more."""
        self._queue.forget(session)
        self._passage.detours.forget(session)
        self._troubles.forget(session)
        self._reaching.forget(session)
        self._hurried.discard(session)

    def try_again(self) -> None:
        """What led to an outage was changed: nobody is held for it any more."""
        self._troubles.remedied()
        self._wake.set()

    def hurry(self, session: str) -> None:
        """An operator wants it to connect: in an outage it is the next that tries, and at once."""
        self._queue.favour(session)
        self._passage.detours.hurried(session, self._clock())
        self._hurried.add(session)
        self._wake.set()

    # the loop

    async def run(self) -> None:
        """Lets sessions in for ever."""
        async with asyncio.TaskGroup() as running:
            running.create_task(self._reaching.run(lambda: self._ledger, self._clock))
            running.create_task(self._let_in())

    async def _let_in(self) -> None:
        while True:
            self._join()
            self._wake.clear()
            try:
                answer = await self._ledger.act(self._turn)
            except OSError as error:
                if not self._told:
                    log.error("the admission board can't be used, nobody is let in meanwhile: %s", error)
                self._told = True
                await asyncio.sleep(DISK_PAUSE)
                continue
            self._told = False
            if isinstance(answer, Slot):
                await self._use(answer)
                continue
            wait = max(0.0, answer.at - self._clock()) + random.uniform(0, SPREAD)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    @property
    def _rate(self) -> float:
        fleet, share = self._bounds
        return fleet if self._ledger.shared else share

    def _join(self) -> None:
        """Those who share the board count on it that nobody connects beside them for longer than it takes."""
        now = self._clock()
        if self._ledger.shared or self._open_fleet is None or now < self._retry_at:
            return
        self._retry_at = now + BOARD_PERIOD
        try:
            ledger = self._open_fleet()
        except OSError as error:
            log.debug("there is still no room for the admission board: %s", error)
            return
        self._ledger.close()
        self._ledger = ledger
        log.info("the admission board is there: the bound on connects is kept by the whole fleet")

    async def stop(self) -> None:
        """Nobody waits here any more."""
        with contextlib.suppress(OSError):
            await self._ledger.act(lambda found: (board.left(found, self._shard), None))

    def _turn(self, found: Board) -> tuple[Board, Slot | Later]:
        now = self._clock()
        self._passage.use(self._rate, 1.0 if self._ledger.shared else self._bounds[1] / self._bounds[0])
        after = self._passage.moved(self._troubles.tell(found, self._members, now, self._wall()), now)
        times = self._passage.times(after, self._queue.eligible(), now)
        eligible = [session for session, at in times.items() if at <= now]
        outage = after.outage if after.outage.on else self._troubles.own
        stuck = [session for session in eligible if outage.holds(detoured=self._passage.way(session) is not None)]
        if self._hurried.intersection(stuck):
            after = replace(after, outage=after.outage.hurried(now))
            self._troubles.hurried(now)
            outage = outage.hurried(now)
        first = self._queue.first(now, set(eligible).difference(stuck))
        urgency = 0 if first is None else self._queue.urgency(first, now)
        probing = bool(stuck) and (first is None or outage.due(now) <= now)
        self._chosen = self._queue.prober(now, stuck) if probing else first
        own = probing and not after.outage.on
        free_at = max(self._free_at, outage.due(now) if own else now)
        held = free_at > now
        way = self._passage.way(self._chosen)
        ask = Ask(self._shard, self._members, 0 if held else len(eligible), urgency, way=way)
        if (unused := self._unused) is not None:
            ask = replace(ask, unused=unused.at, unprobed=unused.probe, unused_way=unused.way)
        after, answer = board.take(after, ask, now, self._rate)
        self._unused = None
        self._troubles.fleet = after.outage
        self.crowd = board.waiting_elsewhere(after, self._shard, now)
        if isinstance(answer, Later):
            at = min([answer.at, *(at for at in times.values() if at > now)])
            return after, Later(min(at, free_at) if held else at)
        if self._chosen is not None:
            self._passage.detours.probed(self._chosen, now)
        self._troubles.took(now, probe=own)
        if self._own_rate is not None:
            self._free_at = answer.at + gap(self._own_rate)
        return after, answer

    def _give_back(self, slot: Slot) -> None:
        self._unused = slot
        self._troubles.gave_back(self._clock())

    async def _bear_another_clock(self) -> None:
        """It calls late what is not: asked again at once it would say so again, for ever."""
        if not self._other_clock:
            log.warning("the connector is late for a slot before it ends: does it read CLOCK_MONOTONIC?")
        self._other_clock = True
        await asyncio.sleep(SPREAD)

    async def _use(self, slot: Slot) -> None:
        now = self._clock()
        session = self._chosen if self._chosen is not None and self._chosen in self._queue else None
        link = None if session is None else self._link_of(session)
        if session is None or link is None:
            self._give_back(slot)
            await asyncio.sleep(SPREAD)
            return
        self._troubles.begun(session, detoured=slot.way is not None)
        self._reaching.begins(session, slot.at)
        try:
            at, by = slot.at * 1000, (slot.at + USABLE) * 1000
            await link.request("admit", ANSWER_PATIENCE, session=session, at=at, by=by)
        except RemoteError as error:
            self._reaching.forget(session)
            self._troubles.unused(session)
            self.lost += 1
            if error.code != ErrorCode.LATE:
                self._queue.leave(session)  # it waits there no more; if it does again, that is told
            if not isinstance(error, LinkClosed) and error.code != ErrorCode.INTERNAL:  # else it may have been used
                self._give_back(slot)
            if error.code == ErrorCode.LATE and self._clock() < slot.at + USABLE:
                await self._bear_another_clock()
            return
        except TimeoutError:  # if it was let in all the same, its phases will tell
            self.lost += 1
            return
        self._queue.admitted(session, now)
        self.admitted += 1
