import asyncio

import pytest

from actors.connectors.link_events import Ack, InboundMessage, Opened, Receipt, Received, Rtt, Sent
from actors.connectors.protocol import WINDOW
from actors.connectors.simulator.mailbox import CAPACITY, REMEMBERED, Mailbox, Slip
from actors.connectors.simulator.sends import MAX_PENDING
from tests.contract.peers import refusal
from tests.unit.connectors.simulator.rig import Rig, rig
from tests.unit.connectors.simulator.virtual import in_virtual_time

ALICE, BOB = "15550001", "15550002"


async def couple(r: Rig) -> None:
    await r.opened("alice", {"paired": True, "phone": ALICE})
    await r.opened("bob", {"paired": True, "phone": BOB})


async def texts(r: Rig, count: int) -> list[str | None]:
    return [(await r.host.next(InboundMessage, 100, session="bob")).text for _ in range(count)]


@in_virtual_time
async def test_messages_arrive_in_order_whatever_the_jitter() -> None:
    async with rig() as r:
        await r.opened("alice", {"paired": True, "phone": ALICE})
        bob = await r.opened("bob", {"paired": True, "phone": BOB, "latency_ms": 100, "jitter_ms": 100})
        for number in range(10):
            await r.host.send("alice", f"M{number}", BOB, f"text {number}")
        assert await texts(r, 10) == [f"text {number}" for number in range(10)]
        assert [event.message_id for event in bob.inbox.of(Received)] == [f"M{number}" for number in range(10)]
        assert "session-" + ALICE in r.vault.entries("bob")


@in_virtual_time
async def test_repeated_message_is_acknowledged_but_delivered_once() -> None:
    async with rig() as r:
        await couple(r)
        await r.host.send("alice", "M1", BOB, "first")
        await r.host.send("alice", "M1", BOB, "again")
        await r.host.send("alice", "M2", BOB, "second")
        assert await texts(r, 2) == ["first", "second"]


@in_virtual_time
async def test_message_that_was_cut_off_before_its_answer_is_not_delivered_twice() -> None:
    async with rig() as r:
        await couple(r)
        alice = await r.session("alice", {"paired": True, "phone": ALICE, "latency_ms": 1000, "jitter_ms": 0})
        sending = asyncio.ensure_future(r.host.send("alice", "M1", BOB, "once"))
        await r.host.next(Sent, session="alice", message_id="M1")
        await r.fault("alice", "drop")
        assert (await refusal(sending)).code == "closed"
        await alice.ask("open")
        await alice.next(Opened)
        await r.host.send("alice", "M1", BOB, "once")
        await r.host.send("alice", "M2", BOB, "last")
        assert await texts(r, 2) == ["once", "last"]


@in_virtual_time
async def test_messages_wait_for_who_is_away() -> None:
    async with rig() as r:
        await couple(r)
        bob = await r.session("bob", {"paired": True, "phone": BOB})
        await bob.ask("close")
        alice = await r.session("alice", {"paired": True, "phone": ALICE})
        await r.host.send("alice", "M1", BOB, "for later")
        await asyncio.sleep(1000)
        assert r.host.inbox.of(InboundMessage) == []
        await bob.ask("open")
        assert await texts(r, 1) == ["for later"]
        assert (await alice.next(Receipt)).type == "delivered"


@in_virtual_time
async def test_deaf_session_acknowledges_but_hears_nothing_until_it_is_over() -> None:
    async with rig() as r:
        await couple(r)
        await r.fault("bob", "deaf", for_s=500)
        await r.host.send("alice", "M1", BOB, "can you hear me")
        await r.host.send("bob", "M2", ALICE, "hello")
        await asyncio.sleep(400)
        assert [event.session for event in r.host.inbox.of(InboundMessage)] == ["alice"]
        assert await texts(r, 1) == ["can you hear me"]


@in_virtual_time
async def test_deaf_session_hears_again_after_a_login_and_when_cleared() -> None:
    async with rig() as r:
        await couple(r)
        bob = await r.session("bob", {"paired": True, "phone": BOB})
        await r.fault("bob", "deaf")
        await r.host.send("alice", "M1", BOB, "one")
        await bob.ask("close")
        await bob.ask("open")
        assert await texts(r, 1) == ["one"]
        await r.fault("bob", "deaf")
        await r.host.send("alice", "M2", BOB, "two")
        await r.host.ask("clear", session="*")
        assert await texts(r, 1) == ["two"]


@in_virtual_time
async def test_half_open_session_gets_no_answer() -> None:
    async with rig(ackTimeoutMs=5_000, heartbeatMs=100_000, heartbeatTimeoutMs=90_000) as r:
        await couple(r)
        await r.fault("alice", "half_open")
        started = r.loop.time()
        assert (await refusal(r.host.send("alice", "M1", BOB))).code == "ack_timeout"
        assert r.loop.time() - started == pytest.approx(5)
        assert r.host.inbox.of(InboundMessage) == []


@in_virtual_time
async def test_refused_message_is_delivered_to_nobody() -> None:
    async with rig() as r:
        await couple(r)
        alice = await r.session("alice", {"paired": True, "phone": ALICE})
        await r.fault("alice", "nack", error=479, for_s=60)
        error = await refusal(r.host.send("alice", "M1", BOB))
        assert (error.code, error.data) == ("nack", {"error": 479})
        assert (await alice.next(Ack)).error == 479
        await asyncio.sleep(60)
        await r.host.send("alice", "M1", BOB, "now")
        assert await texts(r, 1) == ["now"]


@in_virtual_time
async def test_people_outside_give_receipts_too() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        for number in range(20):
            await r.host.send("a", f"M{number}", "15550009")
        await asyncio.sleep(60)
        receipts = peer.inbox.of(Receipt)
        assert len([event for event in receipts if event.type == "delivered"]) == 20
        assert 3 < len([event for event in receipts if event.type == "read"]) < 17
        assert len(r.host.inbox.of(Receipt)) == len(receipts)


@in_virtual_time
async def test_somebody_outside_writes() -> None:
    async with rig() as r:
        await couple(r)
        await r.host.ask("deliver", session="bob", messageId="IN1", text="hello", **{"from": "15550009"})
        message = await r.host.next(InboundMessage)
        assert (message.session, message.sender, message.text) == ("bob", "15550009@s.whatsapp.net", "hello")


@in_virtual_time
async def test_keys_are_committed_before_the_message_goes_out() -> None:
    async with rig() as r:
        await couple(r)
        r.vault.hold()
        sending = asyncio.ensure_future(r.host.send("alice", "M1", BOB))
        await asyncio.sleep(2)
        assert r.host.inbox.of(Sent) == []
        r.vault.go_on()
        await sending
        assert len(r.host.inbox.of(Sent)) == 1


@in_virtual_time
async def test_inbound_message_whose_keys_can_not_be_committed_comes_again() -> None:
    async with rig() as r:
        await couple(r)
        bob = await r.session("bob", {"paired": True, "phone": BOB})
        r.vault.refuse("full")
        await r.host.ask("deliver", session="bob", messageId="IN1", text="hello", **{"from": ALICE})
        assert await r.closed(bob) == (0, "error")
        assert "session-" + ALICE not in r.vault.entries("bob")
        r.vault.refuse(None)
        await bob.ask("open")
        assert await texts(r, 2) == ["hello", "hello"]
        assert r.host.numbers == [1, 2]
        await asyncio.sleep(1)  # it is acknowledged
        await bob.ask("close")
        await bob.ask("open")
        await r.host.send("alice", "M1", BOB, "later")
        assert await texts(r, 1) == ["later"]
        assert "session-" + ALICE in r.vault.entries("bob")


@in_virtual_time
async def test_no_more_than_the_window_is_told_before_it_is_stored() -> None:
    async with rig() as r:
        r.host.withhold = True
        names = [f"s{number}" for number in range(WINDOW + 20)]
        for name in names:
            await r.opened(name)
            await r.host.ask("deliver", session=name, messageId="IN", text="x", **{"from": ALICE})
        await asyncio.sleep(100)
        assert r.host.numbers == list(range(1, WINDOW + 1))
        await r.host.ask("stored", upto=15)
        await asyncio.sleep(1)
        assert r.host.numbers == list(range(1, WINDOW + 16))
        gone = r.host.inbox.of(InboundMessage)[100].session
        await r.fault(gone, "drop")
        await r.host.stored()
        r.host.withhold = False
        await asyncio.sleep(1)
        told = [event.session for event in r.host.inbox.of(InboundMessage)]
        assert sorted(told) == sorted(names)
        peer = await r.session(gone)
        await peer.ask("open")
        assert (await r.host.next(InboundMessage, 100, session=gone, n=len(names) + 1)).message_id == "IN"


@in_virtual_time
async def test_stuck_outbound_messages_are_never_acknowledged_and_all_else_goes_on() -> None:
    async with rig(ackTimeoutMs=5000) as r:
        await couple(r)
        alice = await r.session("alice", {"paired": True, "phone": ALICE})
        await r.fault("alice", "outbound_stuck")
        assert (await refusal(r.host.send("alice", "M1", BOB, "stuck"))).code == "ack_timeout"
        await r.host.send("bob", "M2", ALICE, "inbound")
        assert (await r.host.next(InboundMessage, 100, session="alice")).text == "inbound"
        await alice.next(Rtt, 100)
        await alice.ask("close")
        await alice.ask("open")
        await alice.next(Opened, 100)
        await r.host.send("alice", "M1", BOB, "stuck")  # again, under its id
        assert await texts(r, 1) == ["stuck"]


@in_virtual_time
async def test_one_id_is_sent_once_at_a_time_and_not_too_many_wait() -> None:
    async with rig() as r:
        await r.opened("a", {"paired": True, "latency_ms": 1000})
        sends = [asyncio.ensure_future(r.host.send("a", f"M{number}", BOB)) for number in range(MAX_PENDING)]
        await r.host.next(Sent, session="a", message_id="M0")
        assert (await refusal(r.host.send("a", "M0", BOB))).code == "busy"
        assert (await refusal(r.host.send("a", "M-more", BOB))).code == "limit"
        assert (await refusal(r.host.send("a", "M-long", BOB, "x" * 65_537))).code == "limit"
        await asyncio.gather(*sends)


def test_mailbox_is_bounded() -> None:
    box = Mailbox()
    for number in range(CAPACITY + 5):
        box.put(Slip(str(number), "read"), 0.0)
    assert (len(box.items), box.dropped) == (CAPACITY, 5)
    assert box.items[0][1].message_id == "5"
    assert all(box.accept(str(number)) for number in range(REMEMBERED + 1))
    assert box.accept("0")
    assert not box.accept(str(REMEMBERED))
