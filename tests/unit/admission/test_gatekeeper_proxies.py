"""Gatekeepers of several hosts with sessions behind proxies, and real simulators, in virtual time."""

import asyncio

from actors.admission.detours import Proxy
from tests.unit.admission.test_gatekeeper import BOUND, Shard, connects, fleet, until_open
from tests.unit.admission.test_slots import most_in_a_second
from tests.unit.connectors.simulator.virtual import in_virtual_time


def by(shards: list[Shard], first: str) -> list[float]:
    """When connections of the sessions whose names begin so began."""
    return sorted(at for shard in shards for at, session in shard.connects if session.startswith(first))


def all_of(shards: list[Shard], first: str) -> list[tuple[str, Shard]]:
    """The sessions whose names begin so, with their shards."""
    return [(f"{first}{number}-{n}", shard) for number, shard in enumerate(shards) for n in range(10)]


async def start(shards: list[Shard], count: int) -> None:
    """So many of each kind in each shard."""
    for number, shard in enumerate(shards):
        await shard.start(*(f"{kind}{number}-{n}" for n in range(count) for kind in "dp"))


@in_virtual_time
async def test_the_bound_of_a_proxy_holds_over_all_hosts_and_the_others_have_the_rest() -> None:
    async with fleet(3, proxy_of=lambda s: Proxy("p", 1.0, 10) if s.startswith("p") else None) as shards:
        await start(shards, 10)
        took = await until_open(shards, 60, 120)
        assert took <= 30 * 1.12 + 3, "as fast as the proxy lets them"
        assert most_in_a_second(by(shards, "p")) == 1
        assert most_in_a_second(connects(shards)) <= BOUND
        assert max(by(shards, "d")) - min(by(shards, "d")) <= 30 / (BOUND - 1) * 1.3, (
            "nobody waits for a proxy of others"
        )


@in_virtual_time
async def test_a_proxy_that_is_down_takes_no_slots_from_the_others_and_is_noticed_when_it_is_back() -> None:
    async with fleet(3, proxy_of=lambda s: Proxy("p", None, 10) if s.startswith("p") else None) as shards:
        await start(shards, 10)
        await until_open(shards, 60, 60)
        for session, shard in all_of(shards, "p"):
            await shard.rig.host.ask("fault", session=session, fault="close", code=0, reason="proxy", for_s=3600)
        await asyncio.sleep(60)
        for shard in shards:
            shard.connects.clear()
        for _ in range(3):
            for session, shard in all_of(shards, "d"):
                await shard.rig.host.ask("fault", session=session, fault="drop")
            assert await until_open(shards, 30, 60) <= 32 + 30 / BOUND * 1.3
            assert all(shard.gate.report()["outage"] is None for shard in shards), "it is no outage of the fleet"
        assert all(shard.gate.report()["proxies"] == ["p"] for shard in shards)
        for shard in shards:
            shard.connects.clear()
        await asyncio.sleep(600)
        assert len(by(shards, "p")) < 600 * 0.15
        for session, shard in all_of(shards, "p"):
            await shard.rig.host.ask("clear", session=session)
        await until_open(shards, 60, 10 + 10 + 32 + 30 / BOUND * 1.3)
        assert all(shard.gate.report()["proxies"] == [] for shard in shards)


@in_virtual_time
async def test_a_proxy_whose_url_was_corrected_is_gone_through_at_once_by_all_hosts() -> None:
    mark = "p.1"
    async with fleet(3, proxy_of=lambda s: Proxy("p", None, 10, mark) if s.startswith("p") else None) as shards:
        await start(shards, 10)
        await until_open(shards, 60, 60)
        for session, shard in all_of(shards, "p"):
            await shard.rig.host.ask("fault", session=session, fault="close", code=0, reason="proxy", for_s=3600)
        loop = asyncio.get_running_loop()
        for corrected in range(5):
            await asyncio.sleep(100 + 2.3 * corrected)  # all wait now, and one is tried each 10 s
            assert all(shard.gate.report()["proxies"] == ["p"] for shard in shards)
            mark, now = f"p.{corrected + 2}", loop.time()
            for shard in shards:
                shard.connects.clear()
                shard.gate.use(BOUND, None, 1.0, 20)
            await asyncio.sleep(9.9)
            went = [at - now for at in by(shards, "p")]
            assert went[0] < 2 / BOUND
            assert went[8] < 10 / BOUND * 1.3 + 0.5, "until it has failed for many again"
            assert most_in_a_second(connects(shards)) <= BOUND


async def refuse(shards: list[Shard], first: str) -> None:
    """WhatsApp refuses who comes by the way of the sessions whose names begin so."""
    for session, shard in all_of(shards, first):
        await shard.rig.host.ask("fault", session=session, fault="close", code=403, reason="http_403", for_s=3600)


@in_virtual_time
async def test_what_fails_behind_a_proxy_is_no_outage_of_who_goes_another_way() -> None:
    async with fleet(2, proxy_of=lambda s: Proxy("p", None, 10) if s.startswith("p") else None) as shards:
        await start(shards, 10)
        await until_open(shards, 40, 60)
        await refuse(shards, "p")
        for _ in range(60):
            await asyncio.sleep(1)
            assert all(shard.gate.report()["outage"] is None for shard in shards)
        assert all(shard.gate.report()["proxies"] == ["p"] for shard in shards)
        for session, shard in all_of(shards, "p"):
            await shard.rig.host.ask("clear", session=session)
        await until_open(shards, 40, 10 + 10 + 32 + 20 / BOUND * 1.3)
        assert all(shard.gate.report()["proxies"] == [] for shard in shards)


@in_virtual_time
async def test_who_gets_through_a_proxy_neither_ends_an_outage_of_this_machine_nor_waits_for_it() -> None:
    async with fleet(2, proxy_of=lambda s: Proxy("p", None, 10) if s.startswith("p") else None) as shards:
        await start(shards, 10)
        await until_open(shards, 40, 60)
        await refuse(shards, "d")
        await asyncio.sleep(60)
        assert all((shard.gate.report()["outage"] or {}).get("fleet") for shard in shards)
        for shard in shards:
            shard.connects.clear()
        for session, shard in all_of(shards, "p"):
            await shard.rig.host.ask("fault", session=session, fault="drop")
        loop = asyncio.get_running_loop()
        until = loop.time() + 32 + 20 / BOUND * 1.3
        while loop.time() < until:
            await asyncio.sleep(0.5)
            assert all(shard.gate.report()["outage"] for shard in shards)
        assert all(f"p{number}-{n}" in shard.open for number, shard in enumerate(shards) for n in range(10))
        assert len(by(shards, "d")) <= 32 / 10 + 3
        for session, shard in all_of(shards, "d"):
            await shard.rig.host.ask("clear", session=session)
        await until_open(shards, 40, 10 + 10 + 32 + 20 / BOUND * 1.3)
        assert all(shard.gate.report()["outage"] is None for shard in shards)


@in_virtual_time
async def test_a_client_that_is_too_old_concerns_all_ways() -> None:
    async with fleet(2, proxy_of=lambda s: Proxy("p", None, 10) if s.startswith("p") else None) as shards:
        await start(shards, 10)
        await until_open(shards, 40, 60)
        for session, shard in all_of(shards, "p"):
            await shard.rig.host.ask("fault", session=session, fault="drop")
            await shard.rig.host.ask("fault", session=session, fault="client_outdated")
        await asyncio.sleep(60)
        told = [shard.gate.report()["outage"] for shard in shards]
        assert [outage and outage["cause"] for outage in told] == ["client_outdated"] * 2
