import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from actors.store.errors import StoreError, StoreFull, StoreReason
from actors.vault.commit import MAX_BATCH, MAX_BATCH_WEIGHT, MAX_QUEUE_WEIGHT, GroupCommit
from actors.vault.errors import Fenced, VaultError, VaultFull
from actors.vault.requests import Commit, Request, Reserve
from actors.vault.storage import Answer


class Transactions:
    """A database of which the test says when, and how, each transaction ends."""

    def __init__(self) -> None:
        self.batches: list[list[Request]] = []
        self.began = asyncio.Condition()
        self.gate = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def apply(self, batch: Sequence[Request]) -> Sequence[Answer | VaultError]:
        async with self.began:
            self.batches.append(list(batch))
            self.began.notify_all()
        await self.gate.acquire()
        if self.error is not None:
            raise self.error
        return [Fenced("old") if request.session == "fenced" else {"of": request.session} for request in batch]

    async def wait_for(self, count: int) -> None:
        async with self.began:
            await self.began.wait_for(lambda: len(self.batches) >= count)


async def test_what_arrives_during_a_transaction_shares_the_next() -> None:
    db = Transactions()
    commits = GroupCommit(db.apply)
    first = commits.submit(Reserve("a"))
    await db.wait_for(1)
    later = [commits.submit(Reserve(f"s{number}")) for number in range(5)]
    assert commits.queued == 5
    assert not first.done()
    db.gate.release()
    await db.wait_for(2)
    assert await first == {"of": "a"}
    assert not any(answer.done() for answer in later)
    db.gate.release()
    assert await asyncio.gather(*later) == [{"of": f"s{number}"} for number in range(5)]
    assert [len(batch) for batch in db.batches] == [1, 5]
    assert commits.transactions == 2


async def test_one_refusal_fails_nobody_else() -> None:
    db = Transactions()
    commits = GroupCommit(db.apply)
    db.gate.release()
    answers = [commits.submit(Reserve(name)) for name in ("a", "fenced", "b")]
    found = await asyncio.gather(*answers, return_exceptions=True)
    assert found[0] == {"of": "a"}
    assert isinstance(found[1], Fenced)
    assert found[2] == {"of": "b"}
    assert (commits.answered, commits.refused, commits.failed) == (2, 1, 0)


@pytest.mark.parametrize(
    ("error", "kind", "shown"),
    [
        (StoreFull(Path("v.db")), VaultFull, "make room"),
        (StoreError(Path("v.db"), StoreReason.IO, "disk I/O error"), VaultError, "disk I/O error"),
        (ZeroDivisionError("a secret"), VaultError, "ZeroDivisionError"),
    ],
)
async def test_a_failed_transaction_fails_all_its_members_and_the_next_one_works(
    error: Exception, kind: type[VaultError], shown: str
) -> None:
    db = Transactions()
    db.error = error
    commits = GroupCommit(db.apply)
    db.gate.release()
    found = await asyncio.gather(*(commits.submit(Reserve(name)) for name in "ab"), return_exceptions=True)
    for refusal in found:
        assert type(refusal) is kind
        assert shown in str(refusal)
        assert "secret" not in str(refusal)
    db.error = None
    db.gate.release()
    assert await commits.submit(Reserve("c")) == {"of": "c"}


async def test_transactions_are_bounded_in_requests_and_bytes() -> None:
    db = Transactions()
    commits = GroupCommit(db.apply)
    small = [commits.submit(Reserve("a")) for _ in range(MAX_BATCH + 10)]
    big = [commits.submit(Commit("a", 1, {"k": bytes(MAX_BATCH_WEIGHT * 2 // 3)})) for _ in range(2)]
    for _ in range(3):
        db.gate.release()
    await asyncio.gather(*small, *big)
    assert [len(batch) for batch in db.batches] == [MAX_BATCH, 11, 1]
    assert [type(request) for request in db.batches[1]] == [Reserve] * 10 + [Commit]


async def test_there_is_no_room_until_the_queue_is_shorter() -> None:
    db = Transactions()
    commits = GroupCommit(db.apply)
    await commits.room()
    heavy = Commit("a", 1, {"k": bytes(1024 * 1024)})
    one_batch = MAX_BATCH_WEIGHT // heavy.weight
    answers = [commits.submit(heavy) for _ in range(MAX_QUEUE_WEIGHT // heavy.weight + 1 + one_batch)]
    waiter = asyncio.create_task(commits.room())
    await db.wait_for(1)
    assert not waiter.done()
    db.gate.release()
    await db.wait_for(2)
    await waiter
    for _ in answers:
        db.gate.release()
    await asyncio.gather(*answers)


async def test_draining_waits_for_everything() -> None:
    db = Transactions()
    commits = GroupCommit(db.apply)
    await commits.drain()
    answers = [commits.submit(Reserve("a")) for _ in range(3)]
    drained = asyncio.create_task(commits.drain())
    await db.wait_for(1)
    assert not drained.done()
    db.gate.release()
    await drained
    assert all(answer.done() for answer in answers)


async def test_who_stops_waiting_disturbs_nobody() -> None:
    db = Transactions()
    commits = GroupCommit(db.apply)
    gone, stays = commits.submit(Reserve("a")), commits.submit(Reserve("b"))
    gone.cancel()
    db.gate.release()
    assert await stays == {"of": "b"}


async def test_latency_is_over_what_was_answered() -> None:
    db = Transactions()
    commits = GroupCommit(db.apply)
    assert commits.latency(0.99) == 0
    db.gate.release()
    await commits.submit(Reserve("a"))
    assert 0 <= commits.latency(0.5) <= commits.latency(0.99)
