import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from actors.connectors.vaultlink import RETRY_SECONDS, SessionVault, VaultLink, VaultUnavailable
from tests.contract.peers import refusal
from tests.contract.vault_twin import VaultTwin
from tests.unit.connectors.simulator.virtual import in_virtual_time


@asynccontextmanager
async def vault(folder: Path) -> AsyncIterator[tuple[VaultTwin, VaultLink]]:
    twin = VaultTwin(str(folder / "v.sock"))
    await twin.start()
    link = VaultLink(twin.path)
    yield twin, link
    await link.close()
    await twin.stop()
    twin.close()


async def claimed(link: VaultLink) -> SessionVault:
    handle = SessionVault(link, "a")
    await handle.claim(await link.reserve("a"))
    return handle


@in_virtual_time
async def test_requests_survive_an_absence(tmp_path: Path) -> None:
    async with vault(tmp_path) as (twin, link):
        handle = await claimed(link)
        await twin.stop()
        commits = asyncio.gather(*(handle.commit({"k": str(number).encode()}) for number in range(5)))
        await asyncio.sleep(RETRY_SECONDS - 1)
        await twin.start()
        await commits
        assert twin.entries("a") == {"k": b"4"}  # in their order


@in_virtual_time
async def test_absence_has_a_limit(tmp_path: Path) -> None:
    async with vault(tmp_path) as (twin, link):
        handle = await claimed(link)
        await twin.stop()
        started = asyncio.get_running_loop().time()
        with pytest.raises(VaultUnavailable):
            await handle.commit({"k": b"v"})
        assert asyncio.get_running_loop().time() - started == pytest.approx(RETRY_SECONDS, abs=0.2)


@in_virtual_time
async def test_answer_that_was_lost_is_asked_for_again(tmp_path: Path) -> None:
    async with vault(tmp_path) as (twin, link):
        handle = await claimed(link)
        twin.hold()
        commit = asyncio.ensure_future(handle.commit({"k": b"v"}))
        await asyncio.sleep(1)
        await twin.stop()
        twin.go_on()
        await twin.start()
        await commit
        assert twin.entries("a") == {"k": b"v"}


@in_virtual_time
async def test_patience_begins_when_the_link_is_lost(tmp_path: Path) -> None:
    async with vault(tmp_path) as (twin, link):
        handle = await claimed(link)
        twin.hold()
        commit = asyncio.ensure_future(handle.commit({"k": b"v"}))
        await asyncio.sleep(3 * RETRY_SECONDS)  # a slow disk
        await twin.stop()
        twin.go_on()
        await asyncio.sleep(RETRY_SECONDS - 1)
        await twin.start()
        await commit
        assert twin.entries("a") == {"k": b"v"}


@in_virtual_time
async def test_a_vault_that_says_nothing_is_not_asked_twice(tmp_path: Path) -> None:
    async with vault(tmp_path) as (twin, link):
        handle = await claimed(link)
        twin.hold()
        started = asyncio.get_running_loop().time()
        with pytest.raises(VaultUnavailable):
            await handle.commit({"k": b"v"})
        assert asyncio.get_running_loop().time() - started == pytest.approx(30.0, abs=0.2)
        twin.go_on()


@in_virtual_time
async def test_refusals_are_not_tried_again(tmp_path: Path) -> None:
    async with vault(tmp_path) as (twin, link):
        handle = await claimed(link)
        await claimed(link)
        started = asyncio.get_running_loop().time()
        assert (await refusal(handle.commit({"k": b"v"}))).code == "fenced"
        assert asyncio.get_running_loop().time() == started
        assert twin.entries("a") == {}


@in_virtual_time
async def test_nothing_goes_out_under_a_generation_that_is_being_replaced(tmp_path: Path) -> None:
    async with vault(tmp_path) as (twin, link):
        handle = await claimed(link)
        higher = await link.reserve("a")
        twin.hold()
        claim = asyncio.ensure_future(handle.claim(higher))
        commit = asyncio.ensure_future(handle.commit({"k": b"v"}))
        await asyncio.sleep(1)
        twin.go_on()
        await asyncio.gather(claim, commit)
        assert twin.entries("a") == {"k": b"v"}
        assert (await refusal(handle.claim(higher))).code == "fenced"
