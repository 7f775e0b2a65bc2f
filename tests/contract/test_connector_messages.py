"""What `docs/connector-protocol.md` promises about messages, admission and figures, held against every connector."""

import itertools

import pytest

from actors.connectors.link_events import (
    Ack,
    Closed,
    Connecting,
    InboundMessage,
    Opened,
    Queued,
    Receipt,
    Received,
    Rtt,
    Sent,
)
from actors.connectors.protocol import STORED, Phase, Stats
from tests.contract.harness import Subject, causes, fresh_name, fresh_phone
from tests.contract.peers import SessionPeer, refusal

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("tidy")]


async def test_sent_message_is_acknowledged_and_delivered(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    answer = await shared.host.send(name, "M-1", fresh_phone())
    assert answer["ms"] >= 0
    assert answer["at"] > 0
    ack = await peer.next(Ack)
    assert (ack.message_id, ack.error) == ("M-1", None)
    told = [event for event in peer.inbox.events if isinstance(event, Sent | Ack)]
    assert [(type(event), event.message_id) for event in told] == [(Sent, "M-1"), (Ack, "M-1")]
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


# ---- what the host confirms


async def test_connector_waits_for_the_host(shared: Subject) -> None:
    assert STORED in shared.host.hello.capabilities


async def beaten(peer: SessionPeer, times: int = 2) -> None:
    """Returns when the server has answered that many heartbeats: what was under way has arrived."""
    for _ in range(times):
        await peer.next(Rtt)


async def test_message_is_acknowledged_when_it_is_stored(shared: Subject) -> None:
    phones = [fresh_phone(), fresh_phone()]
    names = [fresh_name(), fresh_name()]
    alice, bob = [await shared.opened(n, p) for n, p in zip(names, phones, strict=True)]
    shared.host.withhold = True
    try:
        await shared.host.send(names[0], "M-stored", phones[1], "kept")
        message = await shared.host.next(InboundMessage, session=names[1])
        assert message.n is not None
        await beaten(alice)
        await beaten(bob)
        assert alice.inbox.of(Receipt) == []
    finally:
        shared.host.withhold = False
        await shared.host.stored()
    assert (await alice.next(Receipt, message_id="M-stored")).type == "delivered"
    assert len(shared.host.inbox.of(InboundMessage)) == len(
        {m.message_id for m in shared.host.inbox.of(InboundMessage)}
    )
    await shared.close(alice)
    await shared.close(bob)


async def test_message_that_was_not_stored_comes_again(shared: Subject) -> None:
    phones = [fresh_phone(), fresh_phone()]
    names = [fresh_name(), fresh_name()]
    alice, bob = [await shared.opened(n, p) for n, p in zip(names, phones, strict=True)]
    shared.host.withhold = True
    try:
        await shared.host.send(names[0], "M-again", phones[1], "twice")
        first = await shared.host.next(InboundMessage, session=names[1])
        await shared.connector.cut(shared.host, names[1], phones[1])
        await bob.next(Closed)
        await shared.host.stored()  # too late: the connection that would acknowledge it is gone
        await bob.ask("open")
        await bob.next(Opened)
        again = await shared.host.next(InboundMessage, session=names[1])
        assert first.n is not None
        assert again.n is not None
        assert again.n > first.n
        assert (again.message_id, again.sender, again.text) == (first.message_id, first.sender, "twice")
    finally:
        shared.host.withhold = False
        await shared.host.stored()
    assert (await alice.next(Receipt, message_id="M-again")).type == "delivered"
    await shared.close(alice)
    await shared.close(bob)


async def test_numbers_have_no_gap(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.host.send(name, "M-numbered", fresh_phone())
    await shared.host.next(Receipt, session=name, message_id="M-numbered")
    assert shared.host.numbers == list(range(1, len(shared.host.numbers) + 1))
    assert shared.host.numbers
    for upto in (len(shared.host.numbers) + 1000, -1, "1", None):
        assert (await refusal(shared.host.ask("stored", upto=upto))).code == "bad_request"
    await shared.host.ask("stored", upto=1)  # a repeated one changes nothing
    await shared.close(peer)


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
