"""What `docs/connector-protocol.md` promises, held against every connector.

Sessions of most tests share one process: that they do not disturb each other is part of the contract.
"""

import asyncio
import itertools
import stat
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import pytest_asyncio

from actors.connectors.link_events import (
    Ack,
    Closed,
    Connecting,
    HeartbeatMissed,
    InboundMessage,
    Opened,
    Paired,
    PhaseChanged,
    Qr,
    Queued,
    Receipt,
    Received,
    Rtt,
    Sent,
    Superseded,
)
from actors.connectors.protocol import CAPABILITIES, GRACE_SECONDS, PROTOCOL, Phase, Stats
from actors.runtime import frames
from actors.runtime.frames import MAX_FRAME
from tests.contract.connectors import BaileysUnderTest, Connector, SimulatorUnderTest
from tests.contract.harness import Subject, causes, fresh_name, fresh_phone, subject
from tests.contract.peers import WITHIN, HostPeer, refusal

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

CONNECTORS: list[type[Connector]] = [SimulatorUnderTest, BaileysUnderTest]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=CONNECTORS, ids=lambda kind: kind.name)
async def connector(request: pytest.FixtureRequest) -> AsyncIterator[Connector]:
    connector: Connector = request.param()
    await connector.start()
    yield connector
    await connector.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(connector: Connector) -> AsyncIterator[Subject]:
    async with subject(connector) as it:
        yield it


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def tidy(shared: Subject) -> AsyncIterator[None]:
    """A test that fails leaves no link behind."""
    yield
    await shared.leave()


@pytest.fixture
def name() -> str:
    return fresh_name()


@pytest.fixture
def phone() -> str:
    return fresh_phone()


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


# ---- links


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


async def test_half_a_frame_and_gone_harms_nobody(shared: Subject) -> None:
    _, writer = await asyncio.open_unix_connection(shared.socket)
    writer.write(announced(1000, b"half"))
    await writer.drain()
    writer.close()
    await shared.host.ask("stats")


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
    ]
    assert [(await refusal(request)).code for request in bad] == ["bad_request"] * len(bad)
    assert (await peer.status()).phase is Phase.IDLE
    await peer.leave()


# ---- life of a connection


async def test_phases_are_told_to_session_and_host(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.paired(name, phone)
    assert peer.state.paired
    await peer.ask("open")
    opened = await peer.next(Opened)
    state = await peer.status()
    assert (state.phase, state.paired, state.me, state.qr) == (Phase.OPEN, True, opened.me, None)
    assert state.me is not None
    assert state.me.startswith(phone)
    assert state.opened_at is not None
    assert opened.login_ms > 0
    await peer.ask("close")
    told = [n for n in peer.inbox.names if n not in {"rtt", "queued"}]
    assert told == ["connecting", "open", "closed"]
    await shared.host.next(PhaseChanged, session=name, phase=Phase.IDLE)
    phases = [event.phase for event in shared.host.inbox.of(PhaseChanged) if event.session == name]
    assert [p for p in phases if p is not Phase.QUEUED] == [Phase.CONNECTING, Phase.OPEN, Phase.IDLE]
    await peer.leave()


async def test_open_is_busy_unless_idle(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.paired(name, phone)
    await peer.ask("open")
    assert (await refusal(peer.ask("open"))).code == "busy"
    await peer.next(Opened)
    assert (await refusal(peer.ask("open"))).code == "busy"
    assert (await refusal(peer.ask("reset_auth"))).code == "busy"
    await shared.close(peer)


async def test_close_is_told_before_it_is_answered(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await peer.ask("close")
    assert causes(peer) == [(0, "closed_by_us")]
    assert (await peer.status()).phase is Phase.IDLE
    await peer.ask("close")
    assert len(causes(peer)) == 1
    await peer.leave()


async def test_close_ends_a_login(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.paired(name, phone)
    await peer.ask("open")
    await peer.ask("close")
    assert causes(peer) == [(0, "closed_by_us")]
    await peer.ask("open")
    await peer.next(Opened)
    assert len(causes(peer)) == 1
    await shared.close(peer)


async def test_lost_connection_is_closed_once_and_opens_again(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.connector.cut(shared.host, name, phone)
    closed = await peer.next(Closed)
    assert (closed.code, closed.reason) == (428, "network")
    await peer.ask("open")
    await peer.next(Opened)
    assert len(causes(peer)) == 1
    await shared.close(peer)


async def test_heartbeats_measure_the_round_trip(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    for _ in range(2):
        assert (await peer.next(Rtt)).ms > 0
    await shared.close(peer)


async def test_silent_peer_is_noticed(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.connector.fall_silent(shared.host, name, phone)
    await peer.next(HeartbeatMissed)
    await peer.next(Closed)
    assert causes(peer) == [(408, "heartbeat")]
    await peer.leave()


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


# ---- pairing


async def test_pairs_by_qr_and_logs_in(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.session(name, phone)
    await peer.ask("open")
    qr = await peer.next(Qr)
    state = await peer.status()
    assert (state.phase, state.paired, state.qr, state.qr_expires_at) == (Phase.PAIRING, False, qr.qr, qr.expires_at)
    assert qr.expires_at > qr.at
    await shared.connector.scan(shared.host, name, qr.qr, phone)
    paired = await peer.next(Paired)
    assert paired.me.startswith(phone)
    assert (await peer.next(Closed)).code == 515
    assert (await peer.status()).paired
    await peer.ask("open")
    assert (await peer.next(Opened)).me is not None
    await shared.close(peer)


async def test_pairs_by_code(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.session(name, phone)
    assert (await refusal(peer.ask("pairing_code", phone=phone))).code == "not_pairing"
    await peer.ask("open")
    await peer.next(Qr)
    assert (await refusal(peer.ask("pairing_code", phone="+1 555"))).code == "bad_request"
    answer = await peer.ask("pairing_code", phone=phone)
    assert len(answer["code"]) == 8
    assert answer["expiresAt"] > 0
    await shared.connector.enter_code(shared.host, name, phone, answer["code"])
    await peer.next(Paired)
    assert (await peer.next(Closed)).code == 515
    await peer.leave()


async def test_pairing_can_be_closed(shared: Subject, name: str) -> None:
    peer = await shared.session(name)
    await peer.ask("open")
    await peer.next(Qr)
    await peer.ask("close")
    assert causes(peer) == [(0, "closed_by_us")]
    state = await peer.status()
    assert (state.phase, state.paired, state.qr) == (Phase.IDLE, False, None)
    await peer.leave()


async def test_logout_removes_device_and_auth_state(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await peer.ask("logout")
    await peer.next(Closed)
    assert causes(peer) == [(401, "intentional_logout")]
    assert not (await peer.status()).paired
    await peer.ask("open")
    await peer.next(Qr)
    await shared.close(peer)
    assert await (await shared.claimed(name)).load() == {}


async def test_reset_auth_deletes_the_auth_state(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.paired(name, phone)
    await peer.ask("reset_auth")
    assert not (await peer.status()).paired
    assert await (await shared.claimed(name)).load() == {}
    await peer.leave()


async def test_device_removed_on_the_phone_can_not_log_in(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.connector.unlink(shared.host, name, phone)
    assert (await peer.next(Closed)).code == 401
    await peer.ask("open")
    assert (await peer.next(Closed)).code == 401
    await peer.ask("reset_auth")
    await peer.ask("open")
    await peer.next(Qr)
    await shared.close(peer)


# ---- messages


async def test_sent_message_is_acknowledged_and_delivered(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    answer = await shared.host.send(name, "M-1", fresh_phone())
    assert answer["ms"] >= 0
    assert answer["at"] > 0
    ack = await peer.next(Ack)
    assert (ack.message_id, ack.error) == ("M-1", None)
    await shared.host.next(Sent, session=name, message_id="M-1")
    assert (await peer.next(Receipt, type="delivered")).message_id == "M-1"
    await shared.host.next(Receipt, session=name, message_id="M-1", type="delivered")
    await shared.close(peer)


async def test_same_message_may_be_sent_again(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    to = fresh_phone()
    for _ in range(2):
        await shared.host.send(name, "M-twice", to)
        assert (await peer.next(Ack)).message_id == "M-twice"
    await shared.close(peer)


async def test_refused_message_says_why(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.connector.refuse_messages(shared.host, name, phone, 463)
    error = await refusal(shared.host.send(name, "M-refused", fresh_phone()))
    assert (error.code, error.data) == ("nack", {"error": 463})
    assert (await peer.next(Ack)).error == 463
    assert (await peer.status()).phase is Phase.OPEN
    await shared.close(peer)


async def test_what_can_not_be_sent_is_refused(shared: Subject, name: str, phone: str) -> None:
    assert (await refusal(shared.host.send(fresh_name(), "M", phone))).code == "unknown_session"
    peer = await shared.paired(name, phone)
    assert (await refusal(shared.host.send(name, "M", fresh_phone()))).code == "not_open"
    await peer.ask("open")
    await peer.next(Opened)
    for nobody in ("", "somebody", "1@example.org", "123"):
        assert (await refusal(shared.host.send(name, "M", nobody))).code == "invalid_recipient"
    for message_id, text in (("", "x"), ("M M", "x"), ("M", ""), ("M", 5)):
        bad = shared.host.ask("send", session=name, messageId=message_id, to=fresh_phone(), text=text)
        assert (await refusal(bad)).code == "bad_request"
    await shared.close(peer)


async def test_unanswered_message_ends_with_the_connection(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.connector.fall_silent(shared.host, name, phone)
    assert (await refusal(shared.host.send(name, "M-unknown", fresh_phone()))).code == "closed"
    assert (await peer.next(Closed)).reason == "heartbeat"
    await peer.leave()


async def test_sessions_write_to_each_other(shared: Subject) -> None:
    phones = [fresh_phone(), fresh_phone()]
    names = [fresh_name(), fresh_name()]
    alice, bob = [await shared.opened(n, p) for n, p in zip(names, phones, strict=True)]
    await shared.host.send(names[0], "M-to-bob", f"{phones[1]}@s.whatsapp.net", "hello Bob")
    message = await shared.host.next(InboundMessage, session=names[1])
    assert (message.message_id, message.text) == ("M-to-bob", "hello Bob")
    assert message.sender == f"{phones[0]}@s.whatsapp.net"
    assert abs(message.timestamp - message.at) < 60_000
    assert (await bob.next(Received)).message_id == "M-to-bob"
    assert (await alice.next(Receipt, message_id="M-to-bob")).type == "delivered"
    await shared.close(alice)
    await shared.close(bob)


# ---- admission and statistics


async def test_admission_bounds_the_connections_a_second(shared: Subject) -> None:
    rate = 8.0
    names = [fresh_name() for _ in range(5)]
    peers = [await shared.paired(n, fresh_phone()) for n in names]
    await shared.host.ask("admission", connectsPerSecond=rate, burst=1, pairings=1)
    for peer in peers:
        await peer.ask("open")
    starts = [(await peer.next(Connecting)).at for peer in peers]
    await shared.host.ask("admission", connectsPerSecond=1000.0, burst=1000, pairings=1000)
    gaps = [(later - earlier) / 1000 for earlier, later in itertools.pairwise(starts)]
    assert all(gap > 1 / rate - 0.03 for gap in gaps), gaps  # in order, and none too early
    assert [event.position for peer in peers for event in peer.inbox.of(Queued)][-1] >= 1
    for peer in peers:
        await peer.next(Opened)
        await shared.close(peer)


async def test_admission_of_nobody_keeps_them_waiting_until_it_is_lifted(
    shared: Subject, name: str, phone: str
) -> None:
    peer = await shared.paired(name, phone)
    waiting = await shared.paired(fresh_name(), fresh_phone())
    await shared.host.ask("admission", connectsPerSecond=0, burst=1, pairings=1)
    for each in (peer, waiting):
        await each.ask("open")
    await waiting.next(Queued)
    assert (await waiting.status()).phase is Phase.QUEUED
    await waiting.ask("close")
    assert causes(waiting) == [(0, "closed_by_us")]
    await waiting.ask("open")
    await shared.host.ask("admission", connectsPerSecond=1000.0, burst=1000, pairings=1000)
    for each in (peer, waiting):
        await each.next(Opened)
        await shared.close(each)


async def test_stats_measure_the_process(shared: Subject, name: str) -> None:
    peer = await shared.session(name)
    stats = Stats.read(await shared.host.ask("stats"))
    assert 1_000_000 < stats.rss_bytes < 1_000_000_000
    assert stats.cpu_ms > 0
    assert stats.sessions >= 1
    assert stats.lag_ms >= 0
    await peer.leave()


async def test_socket_is_private(shared: Subject) -> None:
    assert permissions(shared.socket) == 0o600


# ---- life of the process: each of these has one of its own


async def test_process_ends_with_its_standard_input(connector: Connector) -> None:
    async with subject(connector) as it:
        assert it.process.stdin is not None
        it.process.stdin.close()
        assert await it.exit_status(1.0) == 0


async def test_process_ends_with_its_hosts_link_and_says_nothing_else(connector: Connector, name: str) -> None:
    async with subject(connector) as it:
        peer = await it.session(name)
        await it.host.leave()
        assert await it.exit_status(1.0) == 0
        await peer.ended()
        stdout, _ = await it.end_process()
        assert stdout == b""


async def test_auth_state_survives_the_death_of_the_process(connector: Connector, name: str, phone: str) -> None:
    async with subject(connector) as it:
        peer = await it.session(name, phone)
        await peer.ask("open")
        qr = await peer.next(Qr)
        await connector.scan(it.host, name, qr.qr, phone)
        await peer.next(Paired)
        await it.end_process()
        await it.start_process()  # the old socket is still there
        it.host = await HostPeer.connect(it.socket)
        peer = await it.session(name, phone)
        assert peer.state.paired
        await peer.ask("open")
        await peer.next(Opened)
        await it.host.send(name, "M-after", fresh_phone())
        await peer.leave()


async def test_session_ends_when_the_vault_stays_away(connector: Connector, name: str, phone: str) -> None:
    async with subject(connector) as it:
        peer = await it.opened(name, phone)
        await it.vault.stop()
        error = await refusal(it.host.send(name, "M-nowhere", fresh_phone()))
        assert error.code in {"closed", "vault_unavailable"}
        assert (await peer.next(Closed)).reason == "vault_unavailable"
        await peer.leave()
