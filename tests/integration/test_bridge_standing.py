"""What WhatsApp lets an account do is asked for, reported and obeyed by the real client."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from actors.connectors.link_events import InboundMessage, MessageCap, Timelock
from tests.contract.peers import refusal
from tests.integration.bridgekit import Rig, fresh_name, fresh_phone, rig
from tests.labclient import Lab

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(lab: Lab) -> AsyncIterator[Rig]:
    async with rig(lab, standing_ms=200) as running:
        yield running


async def test_a_time_lock_stops_new_chats_and_no_others_until_it_is_over(lab: Lab, it: Rig) -> None:
    name, phone = fresh_name(), fresh_phone()
    written, writer, stranger = fresh_phone(), fresh_phone(), fresh_phone()
    peer = await it.opened(name, phone)
    await it.host.send(name, "BEFORE", written)
    message_id = await lab.deliver(phone, writer, "hello")
    await it.host.next(InboundMessage, message_id=message_id)

    until = int(time.time()) + 3600
    await lab.account(phone, policy={"reachoutTimelock": {"is_active": True, "time_enforcement_ends": str(until)}})
    lock = await peer.next(Timelock)  # it is polled: nobody had to be refused first
    assert (lock.active, lock.until) == (True, until * 1000)
    error = await refusal(it.host.send(name, "NEW", stranger))
    assert (error.code, error.data) == ("restricted", {"why": "timelock", "until": until * 1000})
    await it.host.send(name, "KNOWN", written)
    await it.host.send(name, "ANSWER", writer)

    await lab.account(phone, policy={"reachoutTimelock": {"is_active": False}})
    assert not (await peer.next(Timelock, active=False)).active
    await it.host.send(name, "NEW", stranger)
    seen = [message.id for message in await lab.messages() if message.account == phone]
    assert seen == ["BEFORE", "KNOWN", "ANSWER", "NEW"]


async def test_a_used_up_quota_stops_new_chats(lab: Lab, it: Rig) -> None:
    name, phone, stranger = fresh_name(), fresh_phone(), fresh_phone()
    peer = await it.opened(name, phone)
    until = int(time.time()) + 3600
    quota = {"total_quota": 5, "used_quota": 4, "cycle_end_timestamp": str(until), "capping_status": "SECOND_WARNING"}
    await lab.account(phone, policy={"messageCapping": quota})
    cap = await peer.next(MessageCap)
    assert (cap.used, cap.total, cap.capped, cap.until) == (4, 5, False, until * 1000)
    await it.host.send(name, "FIFTH", stranger)
    await lab.account(phone, policy={"messageCapping": {**quota, "used_quota": 5, "capping_status": "CAPPED"}})
    await peer.next(MessageCap, capped=True)
    error = await refusal(it.host.send(name, "SIXTH", fresh_phone()))
    assert (error.code, error.data) == ("restricted", {"why": "message_cap", "until": until * 1000})
    await it.host.send(name, "SAME", stranger)


async def test_the_end_of_a_quota_may_be_told_in_other_units(lab: Lab, it: Rig) -> None:
    """Nothing says in which one it is; none may end the bridge, or be told as a time of another millennium."""
    name, phone = fresh_name(), fresh_phone()
    peer = await it.opened(name, phone)
    until = int(time.time()) + 3600
    quota = {"total_quota": 5, "used_quota": 5, "capping_status": "CAPPED"}
    for used, (told, found) in enumerate(
        [
            (str(until * 1000), until * 1000),
            (str(until * 10**6), None),
            (str(until * 10**9), None),
            ("soon", None),
            (str(until), until * 1000),
        ]
    ):
        policy = {"messageCapping": {**quota, "used_quota": 5 + used, "cycle_end_timestamp": told}}
        await lab.account(phone, policy=policy)
        cap = await peer.next(MessageCap, used=5 + used)
        assert (cap.capped, cap.until) == (True, found), told
    for told, found in [(str(until * 1000), until * 1000), (str(until * 10**6), None)]:
        await lab.account(phone, policy={"reachoutTimelock": {"is_active": False}})
        lock = {"is_active": True, "time_enforcement_ends": told}
        await lab.account(phone, policy={"reachoutTimelock": lock})
        assert (await peer.next(Timelock, active=True, until=found)).active


async def test_a_restriction_that_has_ended_restricts_nothing(lab: Lab, it: Rig) -> None:
    name, phone = fresh_name(), fresh_phone()
    peer = await it.opened(name, phone)
    over = str(int(time.time()) - 1)
    await lab.account(phone, policy={"reachoutTimelock": {"is_active": True, "time_enforcement_ends": over}})
    await peer.next(Timelock, active=True)
    await it.host.send(name, "FREE", fresh_phone())
