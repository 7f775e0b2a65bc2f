"""Plays a campaign: troubles of all kinds, mixed at random from a seed, each to sessions that have no other."""

import asyncio
import math
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tests.bench.campaign.kinds import DEAF_WITHIN, OUTAGE, Kind
from tests.bench.campaign.operator import Operator
from tests.bench.campaign.processes import Processes
from tests.bench.campaign.truth import Ended, Judged, Lost, Moved, Seen, Shown, Struck
from tests.bench.campaign.watch import Watch
from tests.bench.campaign.world import World
from tests.fixtures_daemon import Daemon

PATIENCE = 150.0
"""Seconds until a session is given up: beyond the bound on healing, so that late is told from lost."""
WRITE_S = 5.0
"""Seconds for a letter to be handed in; the others do not wait for it."""
SLACK = 0.05
SETTLE = 1.0
"""Seconds of calm after each trouble, in which its session must stay as it is."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done."""

    per_kind: int = 300
    rate: float = 5.0
    """Troubles of single sessions that begin within a second, at most."""
    rest: float = 30.0
    """Seconds for which a session has to be well before its next trouble: until a connection has proved itself, what
    happens to it is the same episode, with longer waits."""
    seconds: float = 3600.0
    """When no new trouble begins any more; those under way are seen to their ends."""
    shard_kills_at_once: int = 2
    shard_pause: float = 1.0
    """Seconds, on average, from one of these kills to the next."""
    service_pause: float = 40.0
    """Seconds, on average, for which a service runs until it is killed again: who kills one again sooner than after the
    30 s of ``supervision.backoff.reset_after`` sees how long a supervisor waits with one that crashes all the time."""
    letters_a_minute: float = 2.0
    """To each session that may become deaf."""
    warm_up: float = 0.0
    """Seconds of letters before the first session becomes deaf."""
    hold: float = 6.0
    """Seconds for which a session that rests is watched: nothing may be tried."""
    outage: float = 20.0
    """Seconds for which nobody is let in, at the end; 0: no such outage."""


@dataclass
class Campaign:
    """One campaign on one daemon."""

    daemon: Daemon
    world: World
    watch: Watch
    shards: dict[str, str]
    """Of each session."""
    rng: random.Random
    kinds: Sequence[Kind]
    size: Size
    say: Callable[[str], None] = print
    entries: list[Struck | Seen] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    skipped: Counter[str] = field(default_factory=Counter)
    """Troubles for which the time, or a session, was missing."""
    unfinished: dict[str, float] = field(default_factory=dict)
    """Sessions whose trouble is not over -> when it began."""
    _busy: set[str] = field(default_factory=set)
    _kept: set[str] = field(default_factory=set)
    """Sessions of shards that are about to lose a process."""
    _freed: asyncio.Condition = field(default_factory=asyncio.Condition)
    """A session's trouble is over."""
    _number: int = 0

    async def run(self) -> None:
        """Everything; what was done and seen is in ``entries`` and ``watch.seen``."""
        self.processes = Processes(self.daemon)
        self.operator = Operator(self.daemon, self.world)
        ids = sorted(self.shards)
        self.began = time.time()
        self._end = time.monotonic() + self.size.seconds
        listening = [kind for kind in self.kinds if kind.listens]
        self._listeners = listeners(ids, self.size.per_kind) if listening else []
        letters = asyncio.create_task(self._letters())
        try:
            await asyncio.gather(self._strike_sessions(), self._kill_shards(), self._kill_services())
            await self._outage()
        finally:
            letters.cancel()
            await asyncio.gather(letters, return_exceptions=True)
        await asyncio.sleep(SETTLE)
        self.ended = time.time()

    def stop(self) -> None:
        """Ends it before its time; what is under way is in ``unfinished``."""
        self.ended = time.time()

    def seen(self) -> list[Struck | Seen]:
        """All that was done and seen, but for troubles whose end was not waited for."""
        ends = self.unfinished
        seen = [s for s in self.watch.seen if s.at < ends.get(s.session, self.ended) - SLACK]
        return [*self.entries, *seen, *map(Lost, self.watch.gaps)]

    # Troubles of single sessions

    async def _strike_sessions(self) -> None:
        kinds = [kind for kind in self.kinds if kind.scope in {"session", "actor"}]
        queue = deque(kind for kind in kinds for _ in range(self.size.per_kind))
        self.rng.shuffle(queue)
        running: set[asyncio.Task[None]] = set()
        warm = time.monotonic() + self.size.warm_up
        next_at = time.monotonic()
        while queue and time.monotonic() < self._end:
            index = next((i for i, kind in enumerate(queue) if self._target(kind, warm) is not None), None)
            if index is None:
                await asyncio.sleep(0.1)
                continue
            kind = queue[index]
            del queue[index]
            session = self._target(kind, warm)
            assert session is not None
            self._busy.add(session)
            task = asyncio.create_task(self._one(kind, session))
            running.add(task)
            task.add_done_callback(running.discard)
            next_at = max(next_at + 1 / self.size.rate, time.monotonic())
            await asyncio.sleep(next_at - time.monotonic())
        self.skipped.update(kind.name for kind in queue)
        await asyncio.gather(*running)

    def _target(self, kind: Kind, warm: float) -> str | None:
        """A session that is well, has no other trouble and is fit for this one."""
        if kind.listens and time.monotonic() < warm:
            return None
        taken = self._busy | self._kept
        fit = self._listeners if kind.listens else self.shards
        rested = time.time() - self.size.rest
        free = [session for session in fit if session not in taken and self._well_since(session) <= rested]
        if not kind.listens:  # those who listen are kept for that, as long as there are others
            free = [session for session in free if session not in set(self._listeners)] or free
        return self.rng.choice(sorted(free)) if free else None

    def _well_since(self, session: str) -> float:
        move = self.watch.state.get(session)
        return 0.0 if move is None else move.at if move.state == "open" else math.inf

    async def _one(self, kind: Kind, session: str) -> None:
        number = self._next()
        self.unfinished[session] = time.time()
        if kind.scope == "actor":
            await self._kill(number, kind, session, (session,))
        else:
            await self._strike(number, kind, session)
        del self.unfinished[session]
        self._busy.discard(session)
        async with self._freed:
            self._freed.notify_all()

    async def _strike(self, number: int, kind: Kind, session: str) -> None:
        at = await self.world.strike(kind, session)
        if kind.sends:
            await self.operator.send(session, number)
        operator_at = None
        if kind.after in {"heals", "waits"}:
            patience = PATIENCE + kind.lasts_s + (kind.notice_s or 0.0)
            if kind.policy:  # it is the account's and outlives the connection: it ends before the next one is there
                await self.watch.sees(session, lambda seen: _found_out(seen, kind, at), patience)
                await self.world.cure(session)
            if not await self._healed(session, at, patience):
                await self.world.cure(session)  # who was given up must not go on to be found out
            await asyncio.sleep(SETTLE)
        else:
            await self.watch.until(session, lambda move: _is(move, kind.state, at), PATIENCE + DEAF_WITHIN)
            await asyncio.sleep(self.size.hold)
        if (status := await self.operator.status(session)) is not None:
            self.entries.append(Shown(number, session, time.time(), status))
        if kind.after in {"rests", "few_tries"}:
            operator_at = time.time()
            await self.operator.help(kind, session)
            await self._healed(session, operator_at, PATIENCE)
            await asyncio.sleep(SETTLE)
        self.entries.append(
            Struck(number, kind.name, (session,), at, time.time(), at + self.world.lasts(kind), operator_at)
        )

    async def _healed(self, session: str, since: float, patience: float) -> bool:
        """Open again since then, and still."""
        return await self.watch.until(session, lambda move: _is(move, "open", since), patience)

    async def _letters(self) -> None:
        """To each listener in its turn, spread over the minute."""
        async with asyncio.TaskGroup() as writing:
            while self._listeners:
                pause = 60.0 / self.size.letters_a_minute / len(self._listeners)
                for session in list(self._listeners):
                    writing.create_task(self._write(session))
                    await asyncio.sleep(pause * self.rng.uniform(0.7, 1.3))

    async def _write(self, session: str) -> None:
        with suppress(Exception):  # its process is being restarted, or it has no device: the next one gets through
            async with asyncio.timeout(WRITE_S):
                await self.world.write_to(session)

    # Kills

    async def _kill_shards(self) -> None:
        queue = [kind for kind in self.kinds if kind.scope == "shard" for _ in range(self.size.per_kind)]
        self.rng.shuffle(queue)
        await asyncio.gather(*(self._kill_some(queue) for _ in range(self.size.shard_kills_at_once)))
        self.skipped.update(kind.name for kind in queue)

    async def _kill_some(self, queue: list[Kind]) -> None:
        while queue and time.monotonic() < self._end:
            free = sorted({shard for session, shard in self.shards.items() if session not in self._kept})
            if not free:
                return
            shard = self.rng.choice(free)
            mine = {session for session, home in self.shards.items() if home == shard}
            self._kept |= mine
            try:
                if await self._all_well(mine) and queue:
                    self.unfinished |= dict.fromkeys(mine, time.time())
                    await self._kill(self._next(), queue.pop(), shard, tuple(sorted(mine)))
                    for session in mine:
                        del self.unfinished[session]
            finally:
                self._kept -= mine
            await asyncio.sleep(self.rng.uniform(0.0, 2 * self.size.shard_pause))  # others have their troubles there

    async def _all_well(self, sessions: set[str]) -> bool:
        """Waits until these have no trouble any more; whether it came to that in time."""
        async with self._freed:
            while sessions & self._busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(5.0):
                        await self._freed.wait()
                if time.monotonic() > self._end:
                    return False
        return True

    async def _kill_services(self) -> None:
        await asyncio.gather(*(self._kill_service(kind) for kind in self.kinds if kind.scope == "service"))

    async def _kill_service(self, kind: Kind) -> None:
        for number in range(self.size.per_kind):
            pause = self.size.service_pause * self.rng.uniform(0.8, 1.2)
            if time.monotonic() + pause > self._end:
                self.skipped[kind.name] += self.size.per_kind - number
                return
            await asyncio.sleep(pause)
            await self._kill(self._next(), kind, "", ())

    async def _kill(self, number: int, kind: Kind, target: str, sessions: tuple[str, ...]) -> None:
        struck = await self.processes.kill(kind, target)
        if struck is None:
            self.skipped[kind.name] += 1
            return
        at = struck[0]
        back = asyncio.create_task(self.processes.back(number, kind, target, struck, PATIENCE))
        await asyncio.gather(back, *(self._healed(session, at, PATIENCE) for session in sessions))
        ended = await back
        await asyncio.sleep(SETTLE)
        told = [m.at for m in self.watch.seen[-4000:] if _told(m, kind, sessions, at)]
        noticed = [] if ended.noticed is None else [ended.noticed]
        self.entries.append(Ended(number, min([*noticed, *told], default=None), ended.back))
        self.entries.append(Struck(number, kind.name, sessions, at, time.time(), at))

    async def _outage(self) -> None:
        """Nobody is let in for some time, when no other trouble is left; then all come back."""
        if not self.size.outage:
            return
        number, sessions = self._next(), tuple(sorted(self.shards))
        self.unfinished |= dict.fromkeys(sessions, time.time())
        at = await self.world.shut(self.size.outage)
        patience = self.size.outage + PATIENCE
        await asyncio.gather(*(self._healed(session, at + self.size.outage, patience) for session in sessions))
        await asyncio.sleep(SETTLE)
        self.unfinished.clear()
        self.entries.append(Struck(number, OUTAGE.name, sessions, at, time.time(), at + self.size.outage))

    def _next(self) -> int:
        self._number += 1
        if self._number % 250 == 0:
            self.say(f"  {self._number} troubles after {time.time() - self.began:.0f} s, {len(self._busy)} under way")
        return self._number


def listeners(ids: Sequence[str], per_kind: int) -> list[str]:
    """The sessions to which somebody writes all the time, so that it can be noticed if one turns deaf."""
    return sorted(ids)[: min(per_kind, max(1, len(ids) // 3))]


def _is(move: Moved | None, state: str, since: float) -> bool:
    return move is not None and move.state == state and move.at >= since - 0.05


def _found_out(seen: Seen, kind: Kind, since: float) -> bool:
    """A verdict, after which the connection is ended, or its end for another cause."""
    if isinstance(seen, Judged):
        return seen.liveness in kind.causes and seen.at >= since
    return isinstance(seen, Moved) and seen.state != "open" and seen.at >= since


def _told(seen: Seen, kind: Kind, sessions: Sequence[str], at: float) -> bool:
    """A transition that names the kill before the supervisor's own note was read."""
    return isinstance(seen, Moved) and seen.session in sessions and seen.cause in kind.causes and seen.at >= at
