"""What `docs/connector-protocol.md` promises about links, held against every connector."""

import asyncio
import contextlib
import stat
import struct
import time
from pathlib import Path
from typing import Any

import msgpack
import pytest

from actors.connectors.baileys import launch as baileys
from actors.connectors.link_events import (
    Ack,
    Closed,
    PhaseChanged,
    Superseded,
)
from actors.connectors.protocol import CAPABILITIES, GRACE_SECONDS, PROTOCOL, Phase, Stats
from actors.connectors.rating import QUALITY
from actors.runtime import frames
from actors.runtime.frames import MAX_FRAME
from tests.contract.harness import Subject, causes, fresh_name, fresh_phone
from tests.contract.peers import WITHIN, refusal

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("tidy")]


UNREAD_ROOM = 96 * 2**20
"""Bytes: 8 MiB that wait, as many as are made of them before the link is cut, and what a runtime gives back late."""


async def raw(path: str, data: bytes) -> bytes:
    """What a link that is sent these bytes answers until it ends."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(data)
    async with asyncio.timeout(WITHIN):
        answer = await reader.read()
    writer.close()
    return answer


def permissions(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def announced(length: int, body: bytes = b"") -> bytes:
    return struct.pack(">I", length) + body


# ---- frames and hello


async def test_ready_line_and_hello_say_who_it_is(shared: Subject) -> None:
    assert shared.ready.connector == shared.connector.name
    assert shared.ready.protocol == PROTOCOL
    assert shared.ready.pid == shared.process.pid
    hello = shared.host.hello
    assert (hello.connector, hello.version, hello.pid) == (
        shared.connector.name,
        shared.ready.version,
        shared.ready.pid,
    )
    assert set(CAPABILITIES) <= set(hello.capabilities)
    assert (QUALITY in hello.capabilities) == (shared.connector.name != baileys.NAME)  # WhatsApp tells no device of it


async def test_session_hello_tells_the_state(shared: Subject, name: str) -> None:
    peer = await shared.session(name)
    assert not peer.hello.adopted
    assert peer.state.phase is Phase.IDLE
    assert not peer.state.paired
    assert await peer.status() == peer.state
    await peer.leave()


async def test_another_protocol_version_is_refused(shared: Subject) -> None:
    reader, writer = await asyncio.open_unix_connection(shared.socket)
    writer.write(frames.encode({"id": 1, "cmd": "hello", "protocol": PROTOCOL + 1, "role": "host"}))
    async with asyncio.timeout(WITHIN):
        answer = await frames.read(reader)
    writer.close()
    assert answer is not None
    assert answer["err"]["code"] == "unsupported_protocol"


NOT_HELLO = {
    "another command": {"id": 1, "cmd": "status"},
    "an event": {"ev": "open", "session": "x"},
    "an answer": {"re": 1, "ok": None},
    "nothing known": {"what": 1},
}


@pytest.mark.parametrize("first", NOT_HELLO.values(), ids=NOT_HELLO.keys())
async def test_first_frame_must_be_hello(shared: Subject, first: frames.Frame) -> None:
    assert b"hello" not in await raw(shared.socket, frames.encode(first))


MALFORMED = {
    "no msgpack": announced(3, b"\xc1\xc1\xc1"),
    "no map": announced(1, b"\x01"),
    "keys that are no text": announced(3, msgpack.packb({1: 2})),
    "longer than allowed": announced(MAX_FRAME + 1, b"x"),
    "absurdly long": announced(2**32 - 1, b"x"),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_frame_ends_its_link_only(shared: Subject, name: str, data: bytes) -> None:
    assert await raw(shared.socket, data) == b""
    bystander = await shared.session(fresh_name())
    reader, writer = await asyncio.open_unix_connection(shared.socket)
    hello = {"protocol": PROTOCOL, "role": "session", "session": name, "generation": await shared.link.reserve(name)}
    writer.write(frames.encode({"id": 1, "cmd": "hello", **hello, "profile": None}))
    assert await frames.read(reader) is not None
    writer.write(data)
    async with asyncio.timeout(WITHIN):
        assert await reader.read() == b""
    writer.close()
    assert (await bystander.status()).phase is Phase.IDLE
    await shared.host.ask("stats")
    await bystander.leave()


@pytest.mark.full
async def test_who_says_nothing_is_cut_off(shared: Subject, name: str) -> None:
    bystander = await shared.session(name)  # it has said something, and may be silent
    reader, writer = await asyncio.open_unix_connection(shared.socket)
    began = time.monotonic()
    async with asyncio.timeout(WITHIN):
        assert await reader.read() == b""
    assert time.monotonic() - began > 9
    writer.close()
    assert (await bystander.status()).phase is Phase.IDLE


async def test_a_peer_that_does_not_read_costs_a_bounded_memory_and_hurts_nobody(shared: Subject, name: str) -> None:
    before = Stats.read(await shared.host.ask("stats")).rss_bytes
    reader, writer = await asyncio.open_unix_connection(shared.socket)
    hello = {"protocol": PROTOCOL, "role": "session", "session": name, "generation": await shared.link.reserve(name)}
    writer.write(frames.encode({"id": 1, "cmd": "hello", **hello, "profile": None}))
    assert await frames.read(reader) is not None
    reader._limit = 0  # type: ignore[attr-defined]  # from here on nothing is read
    asked = frames.encode({"id": 2, "cmd": "status"}) * 1000
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(5):  # until it is cut, or not read any more itself
            for _ in range(1000):
                writer.write(asked)
                await writer.drain()
    assert await shared.host.ask("ping") == {}
    assert Stats.read(await shared.host.ask("stats")).rss_bytes - before < UNREAD_ROOM
    writer.transport.abort()


async def test_half_a_frame_and_gone_harms_nobody(shared: Subject) -> None:
    _, writer = await asyncio.open_unix_connection(shared.socket)
    writer.write(announced(1000, b"half"))
    await writer.drain()
    writer.close()
    await shared.host.ask("stats")


async def test_the_host_can_ask_for_a_sign_of_life(shared: Subject, name: str) -> None:
    peer = await shared.session(name)
    assert await shared.host.ask("ping") == {}
    assert (await refusal(peer.ask("ping"))).code == "unknown_command"
    await peer.leave()


async def test_unknown_commands_are_refused(shared: Subject, name: str) -> None:
    peer = await shared.session(name)
    for link in (peer, shared.host):
        assert (await refusal(link.ask("fly"))).code == "unknown_command"
    assert (await refusal(peer.ask("stats"))).code == "unknown_command"
    assert (await refusal(shared.host.ask("open"))).code == "unknown_command"
    await peer.leave()


BAD_HELLOS = {
    "no role": {"session": "x", "generation": 1},
    "a role that is none": {"role": "spectator"},
    "no session": {"role": "session", "generation": 1},
    "a generation that is no number": {"role": "session", "session": "x", "generation": "1"},
    "generation 0": {"role": "session", "session": "x", "generation": 0},
}


@pytest.mark.parametrize("fields", BAD_HELLOS.values(), ids=BAD_HELLOS.keys())
async def test_bad_hello_is_refused(shared: Subject, fields: dict[str, Any]) -> None:
    reader, writer = await asyncio.open_unix_connection(shared.socket)
    writer.write(frames.encode({"id": 1, "cmd": "hello", "protocol": PROTOCOL, **fields}))
    async with asyncio.timeout(WITHIN):
        answer = await frames.read(reader)
    writer.close()
    assert answer is not None
    assert answer["err"]["code"] == "bad_request"


async def test_bad_arguments_are_refused(shared: Subject, name: str) -> None:
    peer = await shared.session(name)
    bad = [
        shared.host.ask("admission", connectsPerSecond=-1, burst=1, pairings=1),
        shared.host.ask("admission", connectsPerSecond=1, burst=0, pairings=1),
        shared.host.ask("admission", connectsPerSecond="1", burst=1, pairings=1),
        shared.host.ask("options", options={"heartbeatMs": 0}),
        shared.host.ask("options", options=None),
    ]
    assert [(await refusal(request)).code for request in bad] == ["bad_request"] * len(bad)
    assert (await peer.status()).phase is Phase.IDLE
    await peer.leave()


async def test_new_options_leave_open_connections_alone(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    before = await peer.status()
    assert await shared.host.ask("options", options={**shared.options, "ackTimeoutMs": 7000}) == {}
    assert await peer.status() == before
    assert peer.inbox.of(Closed) == []
    other = await shared.opened(fresh_name(), fresh_phone())
    assert await shared.host.ask("options", options=shared.options) == {}
    for link in (peer, other):
        await shared.close(link)


# ---- generations


async def test_higher_generation_adopts_the_connection(shared: Subject, name: str, phone: str) -> None:
    first = await shared.opened(name, phone)
    before = await first.status()
    second = await shared.session(name, phone)
    assert second.hello.adopted
    assert second.state == before
    await first.next(Superseded)
    await first.ended()
    assert first.inbox.of(Closed) == []
    assert (await shared.host.send(name, "M-adopted", fresh_phone()))["ms"] >= 0
    assert (await second.next(Ack)).error is None
    await shared.close(second)


async def test_lower_and_equal_generations_are_fenced(shared: Subject, name: str) -> None:
    low, high = await shared.link.reserve(name), await shared.link.reserve(name)
    peer = await shared.session(name, generation=high)
    for generation in (low, high):
        assert (await refusal(shared.session(name, generation=generation))).code == "fenced"
    assert (await peer.status()).phase is Phase.IDLE
    await peer.leave()


async def test_generation_that_lost_in_the_vault_is_fenced(shared: Subject, name: str) -> None:
    low = await shared.link.reserve(name)
    await shared.claimed(name)
    assert (await refusal(shared.session(name, generation=low))).code == "fenced"


async def test_connection_ends_when_another_owner_claims(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.claimed(name)
    assert (await refusal(shared.host.send(name, "M-fenced", fresh_phone()))).code in {"closed", "fenced"}
    assert (await peer.next(Closed)).reason == "fenced"
    await peer.leave()


async def test_connection_waits_for_a_successor(shared: Subject, name: str, phone: str) -> None:
    first = await shared.opened(name, phone)
    before = await first.status()
    await first.leave()
    second = await shared.session(name, phone)
    assert second.hello.adopted
    assert second.state == before
    await shared.close(second)


async def test_connection_without_successor_is_closed(shared: Subject, name: str, phone: str) -> None:
    first = await shared.opened(name, phone)
    started = asyncio.get_running_loop().time()
    await first.leave()
    await shared.host.next(PhaseChanged, session=name, phase=Phase.IDLE)
    assert GRACE_SECONDS - 0.2 < asyncio.get_running_loop().time() - started < GRACE_SECONDS + 2
    second = await shared.session(name, phone)
    assert not second.hello.adopted
    assert second.state.phase is Phase.IDLE
    await second.next(Closed)
    assert causes(second) == [(0, "closed_by_us")]
    await second.leave()


async def test_end_that_nobody_saw_is_told_to_the_successor(shared: Subject, name: str, phone: str) -> None:
    first = await shared.opened(name, phone)
    await first.leave()
    await shared.connector.cut(shared.host, name, phone)
    await shared.host.next(PhaseChanged, session=name, phase=Phase.IDLE)
    second = await shared.session(name, phone)
    assert second.state.phase is Phase.IDLE
    await second.next(Closed)
    assert causes(second) == [(428, "network")]
    third = await shared.session(name, phone)
    assert (await third.status()).phase is Phase.IDLE
    assert third.inbox.events == []
    await third.leave()


async def test_socket_is_private(shared: Subject) -> None:
    assert permissions(shared.socket) == 0o600
