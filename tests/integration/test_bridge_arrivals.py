"""What arrives is stored before the real client acknowledges it, whenever the bridge is killed."""

import asyncio
import random
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from actors.connectors.link_events import InboundMessage, Opened, Receipt, Received, Rtt, Undecryptable
from actors.connectors.protocol import WINDOW
from tests.contract.peers import WITHIN
from tests.integration.bridgekit import Rig, fresh_name, fresh_phone, jid, reopen, rig
from tests.labclient import JournalEntry, Lab

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

SEED = 20261127
KEPT = 2 * WINDOW
"""Undecryptable messages that a bridge tells and holds for a host that stores nothing."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as running:
        yield running


async def receipts(lab: Lab, phone: str) -> list[str]:
    """Ids of the messages that the client acknowledged, in order."""
    return [entry.data["id"] for entry in await lab.journal("receipt") if entry.data["account"] == phone]


async def refused(lab: Lab, phone: str) -> list[str]:
    return [entry.data["id"] for entry in await lab.journal("client_nack") if entry.data["account"] == phone]


async def restart(it: Rig, name: str) -> None:
    it.process.kill()
    await it.process.wait()
    await it.start()
    await reopen(await it.session(name))


async def test_killed_before_it_is_stored_a_message_comes_again(lab: Lab) -> None:
    name, phone, contact = fresh_name(), fresh_phone(), fresh_phone()
    async with rig(lab) as it:
        await it.opened(name, phone)
        it.host.withhold = True
        first = await lab.deliver(phone, contact, "first")
        assert (await it.host.next(InboundMessage, session=name)).message_id == first
        assert first not in await receipts(lab, phone)
        await restart(it, name)
        again = await it.host.next(InboundMessage, session=name)
        assert (again.message_id, again.text) == (first, "first")
        await lab.wait_for("receipt", account=phone, id=first)
        second = await lab.deliver(phone, contact, "second")
        assert (await it.host.next(InboundMessage, message_id=second)).text == "second"
        assert it.host.inbox.of(Undecryptable) == []
        assert await refused(lab, phone) == []


async def test_killed_before_it_is_acknowledged_a_message_that_comes_again_is_known(lab: Lab) -> None:
    name, phone, contact = fresh_name(), fresh_phone(), fresh_phone()
    async with rig(lab) as it:
        await it.opened(name, phone)
        known = await lab.deliver(phone, contact, "makes the keys for the contact")
        await lab.wait_for("receipt", account=phone, id=known)
        it.slow.hold()
        first = await lab.deliver(phone, contact, "first")
        await it.host.next(InboundMessage, message_id=first)
        await it.slow.held()  # it is stored, and its keys are committed
        assert first not in await receipts(lab, phone)
        it.process.kill()
        await it.process.wait()
        it.slow.release()
        await it.start()
        await reopen(await it.session(name))
        await lab.wait_for("receipt", account=phone, id=first)
        second = await lab.deliver(phone, contact, "second")
        assert (await it.host.next(InboundMessage, session=name)).message_id == second
        assert it.host.inbox.of(Undecryptable) == []
        assert await refused(lab, phone) == []


async def test_what_waits_to_be_stored_holds_up_nothing_else(lab: Lab) -> None:
    name, phone, contact = fresh_name(), fresh_phone(), fresh_phone()
    async with rig(lab) as it:
        peer = await it.opened(name, phone)
        it.host.withhold = True
        waiting = await lab.deliver(phone, contact, "not yet")
        await it.host.next(InboundMessage, message_id=waiting)
        await it.host.send(name, "MEANWHILE", fresh_phone())
        await peer.next(Rtt)
        assert waiting not in await receipts(lab, phone)
        it.host.withhold = False
        await it.host.stored()
        await lab.wait_for("receipt", account=phone, id=waiting)


async def test_text_that_is_no_text_is_told_as_far_as_it_can_be(lab: Lab) -> None:
    name, phone, contact = fresh_name(), fresh_phone(), fresh_phone()
    async with rig(lab) as it:
        await it.opened(name, phone)
        half = await lab.deliver(phone, contact, "half a face: \ud83d")  # on the wire bytes that are no UTF-8
        assert (await it.host.next(InboundMessage, message_id=half)).text == "half a face: \ufffd"
        await lab.wait_for("receipt", account=phone, id=half)
        whole = await lab.deliver(phone, contact, "a whole one: \U0001f600")
        assert (await it.host.next(InboundMessage, message_id=whole)).text == "a whole one: \U0001f600"


async def test_killed_at_random_nothing_is_lost_or_unreadable(lab: Lab) -> None:
    rng = random.Random(SEED)
    name, phone = fresh_name(), fresh_phone()
    contacts = [fresh_phone() for _ in range(3)]
    async with rig(lab) as it:
        await it.opened(name, phone)
        sent: dict[str, str] = {}
        told: dict[str, str | None] = {}
        for number in range(4):
            for each in range(12):
                text = f"{number}-{each}"
                sent[await lab.deliver(phone, rng.choice(contacts), text)] = text
            await asyncio.sleep(rng.uniform(0, 0.15))  # into the middle
            told |= {event.message_id: event.text for event in it.host.inbox.of(InboundMessage)}
            assert it.host.inbox.of(Undecryptable) == []
            await restart(it, name)
        for message_id in sent:
            await lab.wait_for("receipt", account=phone, id=message_id)
        told |= {event.message_id: event.text for event in it.host.inbox.of(InboundMessage)}
        assert told == sent
        assert it.host.inbox.of(Undecryptable) == []
        assert await refused(lab, phone) == []


async def test_killed_while_it_is_asked_for_a_message_without_content_is_not_lost(lab: Lab) -> None:
    name, phone, contact = fresh_name(), fresh_phone(), fresh_phone()
    async with rig(lab) as it:
        await it.opened(name, phone)
        hollow = await lab.deliver(phone, contact, "the phone has it", placeholder=True)
        first = await first_sign(lab, phone)
        await restart(it, name)
        assert first.kind == "message", "asked for before it is acknowledged"
        assert (await it.host.next(InboundMessage, message_id=hollow)).text == "the phone has it"


async def first_sign(lab: Lab, phone: str) -> JournalEntry:
    """The first message or acknowledgement of a message that the account's client sends."""
    async with asyncio.timeout(WITHIN):
        seen = 0
        while True:
            for entry in await lab.journal("message", "client_ack", since=seen, wait_s=WITHIN):
                if entry.data["account"] == phone:
                    return entry
                seen = entry.seq


async def test_a_receipt_is_acknowledged_when_it_is_stored(lab: Lab) -> None:
    name, phone = fresh_name(), fresh_phone()
    async with rig(lab) as it:
        peer = await it.opened(name, phone)
        it.host.withhold = True
        await it.host.send(name, "R1", fresh_phone())
        await it.host.next(Receipt, message_id="R1", type="delivered")
        await peer.next(Receipt, message_id="R1")
        await peer.ask("close")
        await peer.ask("open")
        await peer.next(Opened)
        it.host.withhold = False
        await it.host.stored()
        assert it.host.numbers == list(range(1, len(it.host.numbers) + 1))
        assert peer.inbox.of(Received) == []


@pytest.mark.timeout(120)
async def test_a_storm_of_what_can_not_be_decrypted_is_bounded_while_nothing_is_stored(lab: Lab) -> None:
    name, phone, sender = fresh_name(), fresh_phone(), fresh_phone()
    enc = {"tag": "enc", "attrs": {"v": "2", "type": "msg"}, "content": "no ciphertext"}
    async with rig(lab) as it:
        peer = await it.opened(name, phone)
        it.host.withhold = True
        for number in range(KEPT + 10):
            attrs = {"from": jid(sender), "id": f"U{number}", "type": "text", "t": str(int(time.time()))}
            await lab.fault("node", target=phone, node={"tag": "message", "attrs": attrs, "content": [enc]})
        await peer.next(Undecryptable, message_id=f"U{KEPT + 9}", within=60)
        assert len(it.host.numbers) == WINDOW
        assert (await it.host.ask("stats"))["counts"]["untold"] == 10
        it.host.withhold = False
        await it.host.stored()
        await it.host.next(Undecryptable, message_id=f"U{KEPT - 1}")
        await peer.next(Rtt)
        assert it.host.numbers == list(range(1, KEPT + 1))
