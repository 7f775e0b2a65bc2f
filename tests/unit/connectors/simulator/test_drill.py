"""A drill's link: plays the world, beside the host's, and is told how often the server is called."""

import asyncio

import pytest

from actors.connectors.protocol import PROTOCOL
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, RemoteError
from tests.unit.connectors.simulator.rig import Rig, rig
from tests.unit.connectors.simulator.virtual import in_virtual_time


async def drill(it: Rig, told: list[Frame]) -> Link:
    link = await Link.connect(it.socket, on_event=lambda _, frame: told.append(frame))
    await link.request("hello", protocol=PROTOCOL, role="drill")
    return link


@in_virtual_time
async def test_a_drill_plays_faults_and_is_told_of_attempts() -> None:
    async with rig() as it:
        told: list[Frame] = []
        link = await drill(it, told)
        peer = await it.opened("a")
        struck = await link.request("fault", session="a", fault="drop")
        assert await it.closed(peer) == (428, "network")
        assert struck == {"sessions": 1, "at": struck["at"]}
        await peer.ask("open")
        await asyncio.sleep(1)
        assert [(frame["ev"], frame["session"]) for frame in told] == [("attempt", "a")] * 2
        assert told[0]["at"] <= struck["at"] <= told[1]["at"]
        await link.close()


@in_virtual_time
async def test_several_drills_come_and_go_and_nobody_minds() -> None:
    async with rig() as it:
        first, second = await drill(it, []), await drill(it, [])
        peer = await it.opened("a")
        await first.close()
        await second.request("fault", session="*", fault="unavailable")
        assert await it.closed(peer) == (503, "stream_error")
        await second.close()
        await it.host.ask("ping")


@in_virtual_time
async def test_a_drill_has_no_command_of_the_host_or_of_a_session() -> None:
    async with rig() as it:
        link = await drill(it, [])
        for command in ("send", "stored", "admission", "options", "open", "stats"):
            with pytest.raises(RemoteError, match="unknown_command"):
                await link.request(command)
        await link.close()
