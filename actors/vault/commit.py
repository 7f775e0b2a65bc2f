"""Group commit: what arrives while one transaction runs shares the next one.

One fsync then serves the whole fleet.  Requests are carried out in the order in which they were submitted,
and each is answered only after the transaction that holds it is durable.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from actors.store.errors import StoreError, StoreFull
from actors.vault.errors import VaultError, VaultFull
from actors.vault.requests import Request
from actors.vault.storage import Answer

Apply = Callable[[Sequence[Request]], Awaitable[Sequence[Answer | VaultError]]]

MAX_BATCH: Final = 512
"""Requests in one transaction."""
MAX_BATCH_WEIGHT: Final = 8 * 1024 * 1024
"""Bytes in one transaction; a single heavier request still goes, alone."""
MAX_QUEUE_WEIGHT: Final = 64 * 1024 * 1024
"""Bytes that may wait; above it `room` holds the readers of all links back."""
_SAMPLES: Final = 2048


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: Request
    answer: asyncio.Future[Answer]
    since: float


class GroupCommit:
    """The queue in front of the one transaction that runs at a time."""

    def __init__(self, apply: Apply) -> None:
        self._apply = apply
        self._queue: deque[_Waiting] = deque()
        self._weight = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._runner: asyncio.Task[None] | None = None
        self._latencies: deque[float] = deque(maxlen=_SAMPLES)
        self.transactions = 0
        self.answered = 0
        self.refused = 0
        """Requests refused one by one (fenced and the like)."""
        self.failed = 0
        """Requests that failed with their whole transaction."""

    @property
    def queued(self) -> int:
        """Requests that wait for a transaction to begin."""
        return len(self._queue)

    def latency(self, quantile: float) -> float:
        """Seconds from submission to answer over the last requests; 0 before the first."""
        ordered = sorted(self._latencies)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else 0.0

    async def room(self) -> None:
        """Waits until the queue is below its bound."""
        await self._has_room.wait()

    def submit(self, request: Request) -> asyncio.Future[Answer]:
        """Queues a request; its future has the answer when it is durable, or a VaultError."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, loop.create_future(), loop.time())
        self._queue.append(waiting)
        self._weigh(request.weight)
        if self._runner is None or self._runner.done():
            self._runner = loop.create_task(self._run())
        return waiting.answer

    async def drain(self) -> None:
        """Waits until everything that was submitted is answered."""
        while self._runner is not None and not self._runner.done():
            await asyncio.shield(self._runner)

    async def _run(self) -> None:
        while self._queue:
            batch = self._take()
            try:
                answers = await self._apply([waiting.request for waiting in batch])
            except Exception as error:  # noqa: BLE001 - whoever asked gets it; the next transaction may work
                self.failed += len(batch)
                for waiting in batch:
                    self._fail(waiting, _as_refusal(error))
                continue
            self.transactions += 1
            for waiting, answer in zip(batch, answers, strict=True):
                self._settle(waiting, answer)

    def _take(self) -> list[_Waiting]:
        batch = [self._queue.popleft()]
        weight = batch[0].request.weight
        while self._queue and len(batch) < MAX_BATCH:
            weight += self._queue[0].request.weight
            if weight > MAX_BATCH_WEIGHT:
                break
            batch.append(self._queue.popleft())
        self._weigh(-sum(waiting.request.weight for waiting in batch))
        return batch

    def _weigh(self, change: int) -> None:
        self._weight += change
        if self._weight < MAX_QUEUE_WEIGHT:
            self._has_room.set()
        else:
            self._has_room.clear()

    def _settle(self, waiting: _Waiting, answer: Answer | VaultError) -> None:
        self._latencies.append(asyncio.get_running_loop().time() - waiting.since)
        if isinstance(answer, VaultError):
            self.refused += 1
            self._fail(waiting, answer)
            return
        self.answered += 1
        if not waiting.answer.done():
            waiting.answer.set_result(answer)

    def _fail(self, waiting: _Waiting, error: VaultError) -> None:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)


def _as_refusal(error: Exception) -> VaultError:
    if isinstance(error, VaultError):
        return error
    if isinstance(error, StoreFull):
        return VaultFull(str(error))
    if isinstance(error, StoreError):
        return VaultError(str(error))
    return VaultError(f"the vault failed: {type(error).__name__}")  # its text could hold what was to be stored
