"""The real bridge process with the real Baileys client, against the lab's server and a real vault.

Most tests share one bridge: that sessions do not disturb each other is part of what it promises.
"""

import asyncio
import os
import signal
import stat
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from actors.connectors.baileys import launch
from actors.connectors.baileys.authstate import unpacked
from actors.connectors.baileys.packing import pack
from actors.connectors.link_events import (
    Ack,
    Closed,
    Connecting,
    Heard,
    HeartbeatMissed,
    InboundMessage,
    Opened,
    Paired,
    Qr,
    Queued,
    Reached,
    Receipt,
    Received,
    Rtt,
    Sent,
    Superseded,
    Timelock,
    Undecryptable,
)
from actors.connectors.protocol import EXIT_SECONDS, GRACE_SECONDS, Admission, Phase, Stats
from actors.connectors.vaultlink import SessionVault
from tests.contract.peers import HostPeer, SessionPeer, refusal
from tests.integration.bridgekit import Rig, fresh_name, fresh_phone, jid, reopen, rig
from tests.labclient import Lab
from tests.unit.connectors.baileys_states import app_state, entries

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(lab: Lab) -> AsyncIterator[Rig]:
    async with rig(lab) as it:
        yield it


def milliseconds() -> float:
    """Of the clock that connectors tell."""
    return time.monotonic() * 1000


@pytest.fixture
def name() -> str:
    return fresh_name()


@pytest.fixture
def phone() -> str:
    return fresh_phone()


async def logins(lab: Lab, phone: str) -> int:
    return len([entry for entry in await lab.journal("login") if entry.data["account"] == phone])


async def pairings(lab: Lab, phone: str) -> int:
    return len([entry for entry in await lab.journal("paired") if entry.data["account"] == phone])


# Start and end


async def test_nothing_of_the_environment_leaks() -> None:
    inherited = {"PATH": "/bin", "TZ": "UTC", "WAVIGIL_TOKEN": "secret", "NODE_OPTIONS": "--require=/evil.js"}
    bounds = "--max-old-space-size=64 --max-semi-space-size=2"
    expected = {"PATH": "/bin", "TZ": "UTC", "NODE_OPTIONS": bounds, **launch.ALLOCATOR}
    assert launch.environment(64 * 2**20, inherited) == expected


async def test_start(shared: Rig) -> None:
    assert shared.ready.pid == shared.process.pid
    assert shared.ready.version == shared.host.hello.version == "7.0.0-rc14"
    assert stat.S_IMODE((await asyncio.to_thread(os.stat, shared.socket)).st_mode) == 0o600
    stats = Stats.read(await shared.host.ask("stats"))
    assert 40e6 < stats.rss_bytes < 400e6
    assert (await refusal(HostPeer.connect(shared.socket))).code == "busy"


@pytest.mark.parametrize("how", ["stdin", "host link", "SIGTERM"])
async def test_end(lab: Lab, name: str, phone: str, how: str) -> None:
    async with rig(lab) as it:
        await it.opened(name, phone)
        began = time.monotonic()
        if how == "stdin":
            assert it.process.stdin is not None
            it.process.stdin.close()
        elif how == "host link":
            await it.host.leave()
        else:
            it.process.send_signal(signal.SIGTERM)
        assert await it.process.wait() == 0
        assert time.monotonic() - began < EXIT_SECONDS + 0.5
        await lab.wait_for("closed", account=phone)


async def test_bad_start_line_ends_with_a_reason(lab: Lab) -> None:
    async with rig(lab) as it:
        await it.stop()
        with pytest.raises(AssertionError, match="clientVersion"):
            await it.start(client_version=(1, 2))


# Pairing


async def test_pairing_by_qr(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.session(name)
    assert peer.state.phase is Phase.IDLE
    assert not peer.state.paired
    await peer.ask("open")
    await peer.next(Connecting)
    qr = await peer.next(Qr)
    assert qr.at < qr.expires_at <= qr.at + 60_000
    state = await peer.status()
    assert (state.phase, state.qr, state.qr_expires_at) == (Phase.PAIRING, qr.qr, qr.expires_at)
    me = await shared.lab.scan(qr.qr, phone)
    assert (await peer.next(Paired)).me == me
    closed = await peer.next(Closed)
    assert (closed.code, closed.reason) == (515, "stream_error")
    opened = await reopen(peer)
    assert opened.me == me
    state = await peer.status()
    assert (state.phase, state.paired, state.me, state.qr) == (Phase.OPEN, True, me, None)
    assert state.opened_at is not None
    assert [str(event.name) for event in peer.inbox.events][:6] == [
        "connecting",
        "qr",
        "paired",
        "closed",
        "connecting",
        "open",
    ]


async def test_pairing_by_code(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.session(name)
    assert (await refusal(peer.ask("pairing_code", phone=phone))).code == "not_pairing"
    await peer.ask("open")
    qr = await peer.next(Qr)
    assert (await refusal(peer.ask("pairing_code", phone="+1 555"))).code == "bad_request"
    answer = await peer.ask("pairing_code", phone=phone)
    assert len(answer["code"]) == 8
    assert qr.at < answer["expiresAt"] <= qr.at + 165_000
    await shared.lab.enter_code(phone, answer["code"])
    await peer.next(Paired)
    await peer.next(Closed, code=515)
    assert (await shared.lab.wait_for("paired", account=phone)).data["method"] == "code"
    await reopen(peer)


async def test_a_pairing_that_is_broken_off_starts_anew(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.session(name)
    await peer.ask("open")
    await peer.next(Qr)
    await peer.ask("pairing_code", phone=phone)  # leaves half-made credentials in Baileys
    await peer.ask("close")
    closed = await peer.next(Closed)
    assert (closed.code, closed.reason) == (0, "closed_by_us")
    await peer.ask("open")
    await peer.next(Qr)  # and no attempt to log in with them
    await peer.ask("close")
    assert await shared.entries(name) == {}


async def test_a_pairing_that_takes_too_long_expires(lab: Lab, name: str) -> None:
    async with rig(lab, pairing_timeout_ms=300) as it:
        peer = await it.session(name)
        await peer.ask("open")
        await peer.next(Qr)
        closed = await peer.next(Closed)
        assert (closed.code, closed.reason) == (408, "pairing_expired")


# Messages


async def test_messages_between_two_sessions(shared: Rig) -> None:
    phones = fresh_phone(), fresh_phone()
    names = fresh_name(), fresh_name()
    peers = [await shared.opened(*each) for each in zip(names, phones, strict=True)]
    for number, (sender, receiver) in enumerate([(0, 1), (1, 0), (0, 1)]):
        message_id = f"TEST{number}-{names[0]}"
        text = f"grüße {number} 👋"
        answer = await shared.host.send(names[sender], message_id, phones[receiver], text)
        assert answer["ms"] > 0
        await shared.host.next(Sent, session=names[sender], message_id=message_id)
        ack = await peers[sender].next(Ack, message_id=message_id)
        assert ack.error is None
        message = await shared.host.next(InboundMessage, session=names[receiver], message_id=message_id)
        assert (message.sender, message.text) == (jid(phones[sender]), text)
        assert abs(message.timestamp - message.at) < 5000
        await peers[receiver].next(Received, message_id=message_id)
        await peers[sender].next(Receipt, message_id=message_id, type="delivered")
        await shared.host.next(Receipt, session=names[sender], message_id=message_id)
    sent = [message for message in await shared.lab.messages() if message.id.endswith(names[0])]
    assert [message.retry for message in sent] == [0, 0, 0]
    await peers[0].next(Rtt)


async def test_many_sessions_write_to_the_same_contacts_at_once(shared: Rig) -> None:
    """Baileys shares a queue and a context between the sockets of a process; here they must not meet."""
    names = [fresh_name() for _ in range(8)]
    phones = [fresh_phone() for _ in names]
    contacts = [fresh_phone() for _ in range(3)]
    for name, phone in zip(names, phones, strict=True):
        await shared.opened(name, phone)
        await shared.lab.account(phone, policy={"decrypt": True})
        await shared.host.send(name, f"FIRST-{name}", contacts[0])

    async def write(name: str) -> None:
        for number in range(6):
            await shared.host.send(name, f"AT-ONCE-{number}-{name}", contacts[number % 3], f"{number} from {name}")

    await asyncio.gather(*(write(name) for name in names))
    sent = {message.id: message for message in await shared.lab.messages() if message.id.startswith("AT-ONCE")}
    for name in names:
        for number in range(6):
            message = sent[f"AT-ONCE-{number}-{name}"]
            assert (message.text, message.retry) == (f"{number} from {name}", 0)


async def test_both_sides_write_at_once(shared: Rig) -> None:
    """Two first messages that cross make several Signal sessions, and each message is of one of them."""
    names, phones = [fresh_name(), fresh_name()], [fresh_phone(), fresh_phone()]
    peers = [await shared.opened(*each) for each in zip(names, phones, strict=True)]
    sent: list[set[str]] = [set(), set()]

    async def write(side: int, number: int) -> None:
        message_id = f"BOTH-{side}-{number}-{names[0]}"
        sent[side].add(message_id)
        await shared.host.send(names[side], message_id, phones[1 - side])

    await asyncio.gather(*(write(side, number) for number in range(6) for side in (0, 1)))
    await asyncio.gather(*(write(side, 6) for side in (0, 1)))
    for side in (0, 1):
        for message_id in sent[side]:
            await peers[1 - side].next(Received, message_id=message_id)
    assert [len(peer.inbox.of(Received)) for peer in peers] == [7, 7]
    assert [peer.inbox.of(Undecryptable) for peer in peers] == [[], []]


async def test_a_message_that_came_while_away_is_told(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await peer.ask("close")
    message_id = await shared.lab.deliver(phone, fresh_phone(), "while you were out")
    await reopen(peer)
    message = await shared.host.next(InboundMessage, session=name, message_id=message_id)
    assert message.text == "while you were out"
    await peer.next(Received, message_id=message_id)


async def test_refused_message_and_restricted_account(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    until = int(time.time()) + 3600
    # restricted only after the refusal: the account's standing may still be on its way from the login
    await shared.lab.account(phone, policy={"ackError": "463"})
    error = await refusal(shared.host.send(name, "N1", fresh_phone()))
    assert (error.code, error.data) == ("nack", {"error": 463})
    assert (await peer.next(Ack, message_id="N1")).error == 463
    standing = {"is_active": True, "time_enforcement_ends": str(until)}
    await shared.lab.account(phone, policy={"reachoutTimelock": standing})
    await peer.ask("close")
    await reopen(peer)  # the account's standing is asked for after each login
    lock = await peer.next(Timelock)
    assert (lock.active, lock.until) == (True, until * 1000)


async def test_message_without_an_answer(lab: Lab, name: str, phone: str) -> None:
    async with rig(lab, ack_timeout_ms=1500) as it:
        peer = await it.opened(name, phone)
        await lab.account(phone, policy={"dropAck": "forward"})
        assert (await refusal(it.host.send(name, "T1", fresh_phone()))).code == "ack_timeout"
        await it.host.next(Sent, message_id="T1")
        await lab.account(phone, policy={"dropAck": False})
        await it.host.send(name, "T1", fresh_phone())
        await peer.next(Ack, message_id="T1", error=None)


async def test_message_when_the_connection_goes(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.lab.account(phone, policy={"dropAck": True})
    waiting = asyncio.create_task(refusal(shared.host.send(name, "C1", fresh_phone())))
    await shared.host.next(Sent, message_id="C1")
    await shared.lab.fault("reset", target=phone)
    assert (await waiting).code == "closed"
    await peer.next(Closed)
    assert (await refusal(shared.host.send(name, "C2", fresh_phone()))).code == "not_open"
    assert (await refusal(shared.host.send("unheard-of", "C3", fresh_phone()))).code == "unknown_session"


async def test_invalid_recipient(shared: Rig, name: str, phone: str) -> None:
    await shared.opened(name, phone)
    assert (await refusal(shared.host.send(name, "I1", "nobody"))).code == "invalid_recipient"
    unknown = fresh_phone()
    await shared.lab.account(unknown, policy={"registered": False})
    assert (await refusal(shared.host.send(name, "I2", unknown))).code == "invalid_recipient"
    assert "I2" not in [message.id for message in await shared.lab.messages()]


async def test_undecryptable_message(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    sender = fresh_phone()
    enc = {"tag": "enc", "attrs": {"v": "2", "type": "msg"}, "content": "no ciphertext"}
    attrs = {"from": jid(sender), "id": "U1", "type": "text", "t": str(int(time.time()))}
    await shared.lab.fault("node", target=phone, node={"tag": "message", "attrs": attrs, "content": [enc]})
    await peer.next(Undecryptable, message_id="U1")
    assert (await shared.host.next(Undecryptable, session=name, message_id="U1")).sender == jid(sender)
    assert (await peer.status()).phase is Phase.OPEN


# How connections end


ENDINGS: dict[str, tuple[dict[str, Any], int, str, dict[str, str]]] = {
    "515": ({"kind": "stream_error", "code": 515}, 515, "stream_error", {"code": "515"}),
    "503": ({"kind": "stream_error", "code": 503}, 503, "stream_error", {"code": "503"}),
    "503 without a close": (
        {"kind": "stream_error", "code": 503, "close": False},
        503,
        "stream_error",
        {"code": "503"},
    ),
    "replaced": ({"kind": "replaced"}, 440, "stream_error", {"conflict": "replaced"}),
    "removed without a code": (
        {"kind": "stream_error", "child": "conflict", "childAttrs": {"type": "device_removed"}},
        440,
        "stream_error",
        {"conflict": "device_removed"},
    ),
    "downgrade": ({"kind": "downgrade"}, 411, "login_failure", {}),
    "end of stream": ({"kind": "xmlstreamend"}, 428, "network", {}),
    "close 1011": ({"kind": "close", "code": 1011}, 428, "network", {"websocket": "1011"}),
    "FIN": ({"kind": "fin"}, 428, "network", {"websocket": "1006"}),
    "RST": ({"kind": "reset"}, 428, "network", {"websocket": "1006"}),
    "garbage": ({"kind": "garbage"}, 500, "bad_frame", {}),
}


@pytest.mark.parametrize("how", ENDINGS)
async def test_ended_by_the_server(shared: Rig, ending: tuple[SessionPeer, str], how: str) -> None:
    peer, phone = ending
    fault, code, reason, data = ENDINGS[how]
    await reopen(peer)
    parameters = {name: value for name, value in fault.items() if name != "kind"}
    await shared.lab.fault(fault["kind"], target=phone, **parameters)
    closed = await peer.next(Closed, within=5)
    assert (closed.code, closed.reason) == (code, reason)
    assert data.items() <= dict(closed.data).items()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ending(shared: Rig) -> AsyncIterator[tuple[SessionPeer, str]]:
    """A session whose connection ends in all ways, and one beside it that must not notice."""
    phone, quiet = fresh_phone(), fresh_name()
    beside = await shared.opened(quiet, fresh_phone())
    peer = await shared.paired(fresh_name(), phone)
    yield peer, phone
    assert not beside.inbox.of(Closed)[1:]  # the one after its pairing
    assert (await beside.status()).phase is Phase.OPEN
    await shared.host.send(quiet, "STILL-HERE", fresh_phone())


@pytest.mark.parametrize("reason", [401, 402, 403, 405, 406, 411, 503])
async def test_refused_at_login(shared: Rig, ending: tuple[SessionPeer, str], reason: int) -> None:
    peer, phone = ending
    attrs = {"code": "101", "expire": "2592000"} if reason == 402 else {}
    await shared.lab.account(phone, login_failure={"reason": reason, "attrs": attrs, "times": 1})
    await peer.ask("open")
    closed = await peer.next(Closed, within=5)
    assert (closed.code, closed.reason) == (reason, "login_failure")
    assert attrs.items() <= dict(closed.data).items()


@pytest.mark.parametrize(
    ("rule", "code", "reason", "data", "answered"),
    [
        ({"kind": "http", "status": 503, "headers": {"Retry-After": "7"}}, 503, "http_503", {"retryAfter": "7"}, True),
        ({"kind": "http", "status": 403}, 403, "http_403", {}, True),
        ({"kind": "http", "status": 429}, 429, "http_429", {}, True),
        ({"kind": "reset"}, 408, "network", {"errno": "ECONNRESET"}, False),
        ({"kind": "garbage"}, 0, "error", {}, True),
    ],
    ids=["http_503", "http_403", "http_429", "reset", "garbage"],
)
async def test_refused_before_login(
    shared: Rig,
    ending: tuple[SessionPeer, str],
    rule: dict[str, Any],
    code: int,
    reason: str,
    data: dict[str, str],
    answered: bool,
) -> None:
    """A refusal is an answer: the host hears that the server was reached, as it does of a login."""
    peer, _ = ending
    since = milliseconds()
    await shared.lab.connect_rules({**rule, "times": 1})
    await peer.ask("open")
    closed = await peer.next(Closed, within=5)
    assert (closed.code, closed.reason) == (code, reason)
    assert data.items() <= dict(closed.data).items()
    again = milliseconds() + 1  # the event's is rounded up
    await reopen(peer)
    while (await shared.host.next(Reached)).clock < again:
        pass
    assert [since <= event.clock < again for event in shared.host.inbox.of(Reached)].count(True) == answered
    await peer.ask("close")
    await peer.next(Closed)


async def test_nobody_listens(shared: Rig, ending: tuple[SessionPeer, str]) -> None:
    peer, _ = ending
    await shared.lab.listen(on=False)
    await peer.ask("open")
    closed = await peer.next(Closed, within=5)
    await shared.lab.listen(on=True)
    assert (closed.code, closed.reason, dict(closed.data)) == (408, "network", {"errno": "ECONNREFUSED"})


@pytest.mark.parametrize("rule", ["hang", "hang_hello"])
async def test_no_answer_to_the_upgrade_or_the_hello(lab: Lab, name: str, rule: str) -> None:
    async with rig(lab, open_deadline_ms=500) as it:
        peer = await it.session(name)
        await lab.connect_rules({"kind": rule, "times": 1})
        await peer.ask("open")
        closed = await peer.next(Closed, within=5)
        assert closed.code == 408
        assert closed.reason in {"open_deadline", "network"}  # Baileys' own limit is as short here


async def test_half_open_peer_is_noticed(lab: Lab, name: str, phone: str) -> None:
    async with rig(lab, heartbeat_timeout_ms=1500) as it:
        peer = await it.opened(name, phone)
        await peer.next(Rtt)
        await lab.fault("half_open", target=phone)
        closed = await peer.next(Closed, within=5)  # with the default limits within 18 s
        assert (closed.code, closed.reason) == (408, "heartbeat")
        await peer.next(HeartbeatMissed)


async def test_a_login_is_heard_and_a_deaf_connection_hears_nothing(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await peer.next(Heard)
    await shared.lab.fault("deaf", target=phone)
    heard = len(peer.inbox.of(Heard))
    await shared.lab.deliver(phone, fresh_phone(), "nobody hears it")
    for _ in range(3):
        await peer.next(Rtt)
    assert peer.inbox.of(Received) == []
    assert len(peer.inbox.of(Heard)) == heard
    await shared.lab.fault("deaf", target=phone, on=False)
    await peer.next(Received)


async def test_device_removed_on_the_phone(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.lab.unlink(phone, 1)
    closed = await peer.next(Closed)
    assert (closed.code, closed.data["conflict"]) == (401, "device_removed")
    assert await shared.entries(name) != {}  # what to do about it is not the connector's business


async def test_logout(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    assert (await refusal(peer.ask("reset_auth"))).code == "busy"
    await peer.ask("logout")
    closed = peer.inbox.of(Closed)[-1]  # it came before the answer
    assert (closed.code, closed.reason) == (401, "intentional_logout")
    assert (await shared.lab.wait_for("unlinked", account=phone)).data["cause"] == "logout"
    assert (await refusal(peer.ask("logout"))).code == "not_paired"
    assert not (await peer.status()).paired
    assert await shared.entries(name) == {}


async def test_reset_auth(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.paired(name, phone)
    await peer.ask("reset_auth")
    assert not (await peer.status()).paired
    await peer.ask("open")
    await peer.next(Qr)
    await peer.ask("close")


async def test_close_is_answered_after_closed(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    assert (await refusal(peer.ask("open"))).code == "busy"
    await peer.ask("close")
    assert peer.inbox.of(Closed)[-1].reason == "closed_by_us"
    await peer.ask("close")
    assert len(peer.inbox.of(Closed)) == 2
    assert (await peer.status()).phase is Phase.IDLE


# Links


async def test_a_higher_generation_adopts_the_connection(shared: Rig, name: str, phone: str) -> None:
    first = await shared.opened(name, phone)
    before = await logins(shared.lab, phone)
    second = await shared.session(name)
    await first.next(Superseded)
    await first.ended()
    assert second.hello.adopted
    assert (second.state.phase, second.state.paired) == (Phase.OPEN, True)
    await second.leave()
    third = await shared.session(name)  # the link was away for a moment
    assert third.hello.adopted
    await shared.host.send(name, "ADOPTED", fresh_phone())
    await third.next(Ack, message_id="ADOPTED")
    assert await logins(shared.lab, phone) == before
    for stale in (1, 2, 3):
        assert (await refusal(SessionPeer.connect(shared.socket, name, stale))).code == "fenced"
    assert (await third.status()).phase is Phase.OPEN


async def test_a_connection_without_a_link_is_closed_after_the_grace(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await peer.leave()
    began = time.monotonic()
    await shared.lab.wait_for("closed", account=phone, code=1000)
    assert time.monotonic() - began > GRACE_SECONDS - 0.5
    successor = await shared.session(name)
    assert not successor.hello.adopted
    assert successor.state.phase is Phase.IDLE
    assert (await successor.next(Closed)).reason == "closed_by_us"  # nobody had seen it


async def test_another_owner_in_the_vault_fences_the_connection(shared: Rig, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.entries(name)  # claims a higher generation
    await refusal(shared.host.send(name, "F1", fresh_phone()))
    assert (await peer.next(Closed)).reason == "fenced"


async def test_opens_wait_for_admission(lab: Lab) -> None:
    async with rig(lab, Admission(0.0, 1, 10)) as it:
        peers = [await it.session(fresh_name()) for _ in range(3)]
        for peer in peers:
            await peer.ask("open")
        await peers[0].next(Qr)
        assert [(await peer.next(Queued)).position for peer in peers[1:]] == [1, 2]
        assert (await peers[1].status()).phase is Phase.QUEUED
        await peers[1].ask("close")
        assert (await peers[1].next(Closed)).reason == "closed_by_us"
        await it.host.ask("admission", connectsPerSecond=100, burst=1, pairings=10)
        await peers[2].next(Qr)
        assert (await refusal(it.host.ask("admission", burst=0))).code == "bad_request"


# The vault


async def test_a_new_process_logs_in_with_what_the_vault_has(lab: Lab, name: str, phone: str) -> None:
    async with rig(lab) as it:
        await it.opened(name, phone)
        it.process.kill()
        await it.process.wait()
        await it.start()
        peer = await it.session(name)
        assert peer.state.paired
        await reopen(peer)
        message_id = await lab.deliver(phone, fresh_phone(), "still readable")
        assert (await it.host.next(InboundMessage, message_id=message_id)).text == "still readable"


async def test_a_kill_amid_sends_leaves_nothing_unreadable(lab: Lab, name: str, phone: str) -> None:
    """Each message's keys are durable before it is on the wire, so that no key is used twice after a crash."""
    contacts = [fresh_phone() for _ in range(3)]
    await lab.account(phone, policy={"decrypt": True})
    async with rig(lab) as it:
        await it.opened(name, phone)
        sends = [asyncio.create_task(refusal(it.host.send(name, f"KILL-{n}", contacts[n % 3]))) for n in range(20)]
        await lab.wait_for("message", account=phone, id="KILL-7")
        it.process.kill()
        await it.process.wait()
        await asyncio.gather(*sends, return_exceptions=True)
        await it.start()
        await reopen(await it.session(name))
        for number in range(20):
            await it.host.send(name, f"KILL-{number}", contacts[number % 3])
    read = [message.text for message in await lab.messages() if message.id.startswith("KILL-")]
    assert len(read) >= 28
    assert set(read) == {"hello"}


async def test_nothing_is_reported_before_it_is_durable(lab: Lab, name: str, phone: str) -> None:
    async with rig(lab) as it:
        peer = await it.session(name)
        await peer.ask("open")
        qr = await peer.next(Qr)

        it.slow.hold()
        await lab.scan(qr.qr, phone)
        await it.slow.held()
        assert await pairings(lab, phone) == 0  # the server waits for our answer, which waits for the commit
        assert not peer.inbox.of(Paired)
        it.slow.release()
        await peer.next(Paired)
        await peer.next(Closed, code=515)

        it.slow.hold()
        await peer.ask("open")
        await it.slow.held()
        assert not peer.inbox.of(Opened)
        it.slow.release()
        await peer.next(Opened)

        await it.host.send(name, "D0", fresh_phone())
        it.slow.hold()
        sending = asyncio.create_task(it.host.send(name, "D1", fresh_phone()))
        await it.slow.held()
        await peer.next(Rtt)  # a whole round trip later
        assert not sending.done()
        assert "D1" not in [message.id for message in await lab.messages()]  # it is not even on the wire
        it.slow.release()
        await sending
        await peer.next(Ack, message_id="D1")


async def test_vault_away_for_a_moment(lab: Lab, name: str, phone: str) -> None:
    async with rig(lab) as it:
        peer = await it.opened(name, phone)
        await it.slow.stop()
        sending = asyncio.create_task(it.host.send(name, "V1", fresh_phone()))
        await peer.next(Rtt)
        await it.slow.start()
        await sending
        assert len(peer.inbox.of(Closed)) == 1


async def test_vault_away_for_too_long(lab: Lab, name: str, phone: str) -> None:
    async with rig(lab) as it:
        peer = await it.opened(name, phone)
        await it.slow.stop()
        assert (await refusal(it.host.send(name, "V1", fresh_phone()))).code == "closed"
        assert (await peer.next(Closed, reason="vault_unavailable")).data["vault"] == "vault_unavailable"
        await it.slow.start()
        await reopen(peer)


async def test_keys_that_are_too_large_have_a_reason_of_their_own(lab: Lab, name: str, phone: str) -> None:
    async with rig(lab) as it:
        peer = await it.opened(name, phone)
        it.slow.refusal = "limit"
        # not_open: what the login still writes was refused first
        assert (await refusal(it.host.send(name, "T1", fresh_phone()))).code in {"closed", "not_open"}
        assert (await peer.next(Closed, reason="auth_too_large")).data["vault"] == "limit"
        it.slow.refusal = ""
        await reopen(peer)


async def test_a_large_collection_of_the_app_state_opens(lab: Lab, name: str, phone: str) -> None:
    async with rig(lab) as it:
        await it.paired(name, phone)
        handle = SessionVault(it.link, name)
        await handle.claim(await it.link.reserve(name))
        large = entries({"app-state-sync-version/regular": app_state(25_000)})
        await handle.commit({key: pack(text) for key, text in large.items()})
        peer = await it.session(name)
        await reopen(peer)
        await it.host.send(name, "A1", fresh_phone())
        await peer.next(Ack, message_id="A1")
        assert unpacked(await it.entries(name)).items() >= large.items()


async def test_the_log_holds_no_numbers_and_no_keys(lab: Lab, name: str, phone: str) -> None:
    async with rig(lab) as it:
        await it.opened(name, phone)
        other = await it.opened(fresh_name(), fresh_phone())
        for number in range(3):  # makes libsignal open and close sessions, which it prints
            await it.host.send(name, f"L{number}", fresh_phone())
        await lab.fault("garbage", target=phone)
        _, writer = await asyncio.open_unix_connection(it.socket)
        writer.write(b"\xff\xff\xff\xff")
        await writer.drain()
        await other.next(Rtt)
        lines = await it.stop()
        writer.close()
        assert [line["event"] for line in lines] == ["link_cut"]
        assert phone not in str(lines)
