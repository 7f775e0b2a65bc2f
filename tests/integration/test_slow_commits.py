"""Every commit takes 2 s: the real client, the server and the host hear of nothing before its commit is durable."""

import asyncio

import pytest

from actors.connectors.link_events import Closed, InboundMessage, Opened, Paired, Qr, Sent
from tests.integration.bridgekit import Durable, Rig, fresh_name, fresh_phone, rig
from tests.labclient import JournalEntry, Lab

pytestmark = pytest.mark.integration

DELAY = 2.0
"""Seconds."""


def first(commits: list[Durable], session: str, kind: str, of: str = "") -> Durable:
    """The first commit of that session which wrote a key of that kind, and of that phone number."""
    return next(
        commit
        for commit in commits
        if commit.session == session and any(key.startswith(kind) and of in key for key in commit.keys)
    )


async def entry(lab: Lab, kind: str, **wanted: str) -> JournalEntry:
    """The first such thing that the server saw."""
    return await lab.wait_for(kind, since=0, timeout_s=10 * DELAY, **wanted)


async def test_nothing_is_reported_before_its_commit() -> None:
    async with Lab() as lab, rig(lab, ack_timeout_ms=20_000, heartbeat_timeout_ms=5000) as it:
        name, phone, contact = fresh_name(), fresh_phone(), fresh_phone()
        await it.opened(name, phone)
        # The contact is known: one that is new takes half a dozen commits, one after the other.
        await it.host.send(name, "KNOWN", contact)
        await lab.deliver(phone, contact, "known, too")
        await it.host.next(InboundMessage, text="known, too")
        it.slow.delay = DELAY

        async def messages() -> None:
            await a_send(it, lab, name, phone, contact)
            await an_inbound_message(it, lab, name, phone, contact)

        await asyncio.gather(messages(), a_pairing_and_its_login(it, lab))


async def a_pairing_and_its_login(it: Rig, lab: Lab) -> None:
    """Neither the server nor the session's actor takes it for paired, or for open, before it is in the vault."""
    name, phone = fresh_name(), fresh_phone()
    peer = await it.session(name)
    await peer.ask("open")
    qr, before = await peer.next(Qr), len(it.slow.commits)
    await lab.scan(qr.qr, phone)
    told = await peer.next(Paired)
    paired = await entry(lab, "paired", account=phone)
    credentials = first(it.slow.commits[before:], name, "creds")
    assert credentials.at <= paired.t + 1  # clocks of two processes, in whole milliseconds
    assert credentials.at <= told.at + 1
    await peer.next(Closed, code=515)

    before = len(it.slow.commits)
    await peer.ask("open")
    opened = await peer.next(Opened, within=20 * DELAY)
    pre_keys = first(it.slow.commits[before:], name, "pre-key/")
    uploaded = await entry(lab, "keys_uploaded", account=phone)
    assert len(pre_keys.keys) > 100
    assert pre_keys.at <= uploaded.t + 1
    assert pre_keys.at <= opened.at + 1


async def a_send(it: Rig, lab: Lab, name: str, phone: str, contact: str) -> None:
    """Not on the wire, not sent, not acknowledged before the ratchet has moved on in the vault."""
    before = len(it.slow.commits)
    answer = await it.host.send(name, "SLOW", contact)
    ratchet = first(it.slow.commits[before:], name, "session/", contact)
    wire = await entry(lab, "message", account=phone, id="SLOW")
    assert ratchet.at <= wire.t + 1
    assert ratchet.at <= (await it.host.next(Sent, message_id="SLOW")).at + 1
    assert ratchet.at <= answer["at"] + 1


async def an_inbound_message(it: Rig, lab: Lab, name: str, phone: str, contact: str) -> None:
    """No receipt to the server before the host was told and, after that, the ratchet has moved on in the vault."""
    before = len(it.slow.commits)
    message_id = await lab.deliver(phone, contact, "hello")
    receipt = await entry(lab, "receipt", account=phone, id=message_id)
    told = await it.host.next(InboundMessage, message_id=message_id)
    ratchet = first(it.slow.commits[before:], name, "session/", contact)
    assert ratchet.at <= receipt.t + 1
    assert told.at <= ratchet.at, "the host has it before the keys have forgotten how to read it again"
    assert told.text == "hello"
