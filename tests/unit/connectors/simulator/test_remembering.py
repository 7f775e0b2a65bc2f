"""What a simulator keeps of sessions that have neither a link nor a connection."""

from typing import Any

from actors.connectors.link_events import Closed
from actors.connectors.protocol import Stats
from actors.connectors.simulator.shared import REMEMBERED
from tests.contract.harness import causes
from tests.contract.peers import refusal
from tests.unit.connectors.simulator.rig import Rig, rig
from tests.unit.connectors.simulator.virtual import in_virtual_time

SCRIPTED = {"paired": True, "script": [{"after_s": 1, "fault": "drop", "repeat_s": 1}]}


async def come_and_go(r: Rig, names: str, count: int, profile: Any = None) -> None:
    """So many sessions, one after the other, that leave nothing behind."""
    for number in range(count):
        await (await r.session(f"{names}-{number}", profile)).leave()


async def faults(r: Rig) -> int:
    """How many have befallen anybody so far."""
    return Stats.read(await r.host.ask("stats")).counts["faults"]


@in_virtual_time
async def test_of_those_that_are_gone_the_oldest_are_forgotten_with_their_scripts() -> None:
    async with rig() as r:
        await come_and_go(r, "gone", 1, SCRIPTED)
        await come_and_go(r, "later", REMEMBERED)
        assert Stats.read(await r.host.ask("stats")).sessions == REMEMBERED
        assert (await refusal(r.fault("gone-0", "drop"))).code == "unknown_session"
        await r.fault("later-0", "drop")
        before = await faults(r)
        peer = await r.session("witness", SCRIPTED)
        await peer.ask("open")
        await r.closed(peer)
        assert await faults(r) == before + 1, "its own"


@in_virtual_time
async def test_who_has_a_link_or_came_again_is_not_forgotten() -> None:
    async with rig() as r:
        peer = await r.opened("present")
        await come_and_go(r, "again", 1)
        await come_and_go(r, "gone", REMEMBERED - 1)
        await come_and_go(r, "again", 1)
        await come_and_go(r, "later", REMEMBERED - 1)
        await r.fault("again-0", "banned")
        assert (await peer.status()).phase == "open"
        assert (await refusal(r.fault("gone-0", "drop"))).code == "unknown_session"


@in_virtual_time
async def test_one_whose_end_nobody_saw_is_forgotten_last() -> None:
    async with rig() as r:
        peer = await r.opened("cut")
        await peer.leave()
        await r.fault("cut", "drop")
        await come_and_go(r, "later", 2 * REMEMBERED)
        peer = await r.session("cut")
        await peer.next(Closed)
        assert causes(peer) == [(428, "network")]
