"""A recipient that can't read a message asks for it again, and gets it, also from a connector that was restarted."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from actors.connectors.link_events import InboundMessage, Wanted
from actors.connectors.vaultlink import SessionVault
from tests.contract.peers import SessionPeer
from tests.integration.bridgekit import Rig, fresh_name, fresh_phone, reopen, rig
from tests.labclient import Lab

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as running:
        yield running


async def lose_keys(it: Rig, name: str) -> None:
    """What a session knows of its contacts is gone."""
    handle = SessionVault(it.link, name)
    await handle.claim(await it.link.reserve(name))
    sessions = [key for key in await handle.load() if key.startswith("session/")]
    assert sessions
    await handle.commit({}, sessions)


async def restart(it: Rig) -> None:
    it.process.kill()
    await it.process.wait()
    await it.start()


class Correspondence:
    """Two sessions that have written to each other; the second has lost its keys since, and a message waits for it."""

    waiting = "WAITING"

    def __init__(self, it: Rig) -> None:
        self.it = it
        self.names = fresh_name(), fresh_name()
        self.phones = fresh_phone(), fresh_phone()

    async def begin(self) -> None:
        it, names, phones = self.it, self.names, self.phones
        peers = [await it.opened(*each) for each in zip(names, phones, strict=True)]
        for sender, receiver in [(0, 1), (1, 0), (0, 1)]:
            sent = f"BEFORE{sender}{receiver}{len(it.host.inbox.events)}"
            await it.host.send(names[sender], sent, phones[receiver])
            await it.host.next(InboundMessage, session=names[receiver], message_id=sent)
        await peers[1].ask("close")
        await it.host.send(names[0], self.waiting, phones[1], "can you read me?")
        await restart(it)
        await lose_keys(it, names[1])

    async def open(self, side: int) -> SessionPeer:
        peer = await self.it.session(self.names[side])
        await reopen(peer)
        return peer


async def test_a_message_is_sent_again_by_a_process_that_did_not_send_it(lab: Lab) -> None:
    async with rig(lab) as it:
        pair = Correspondence(it)
        await pair.begin()
        it.host.texts[pair.names[0], pair.waiting] = "can you read me?"
        await pair.open(0)
        await pair.open(1)
        message = await it.host.next(InboundMessage, session=pair.names[1], message_id=pair.waiting)
        assert message.text == "can you read me?"
        await lab.wait_for("receipt", account=pair.phones[1], id=pair.waiting, type="inactive")
        sent = [message.retry for message in await lab.messages() if message.id == pair.waiting]
        assert sent == [0, 1], "the first could not be read, the second is the answer to the request"
        mine = [entry for entry in await lab.journal("client_nack", "message") if entry.data["id"] == pair.waiting]
        order = [entry.kind for entry in mine]
        assert order == ["message", "client_nack", "message"], "a late refusal could be taken for one of the second"


async def test_a_request_that_the_host_does_not_answer_stays_unacknowledged(lab: Lab) -> None:
    async with rig(lab) as it:
        pair = Correspondence(it)
        await pair.begin()
        it.host.answers = False
        await pair.open(0)
        await pair.open(1)
        await it.host.next(Wanted, session=pair.names[0], message_id=pair.waiting)
        await restart(it)
        it.host.texts[pair.names[0], pair.waiting] = "can you read me?"
        await pair.open(0)
        await pair.open(1)
        await it.host.next(Wanted, session=pair.names[0], message_id=pair.waiting)
        await it.host.next(InboundMessage, session=pair.names[1], message_id=pair.waiting)


async def test_what_the_host_does_not_know_is_not_sent(lab: Lab) -> None:
    async with rig(lab) as it:
        pair = Correspondence(it)
        await pair.begin()
        await pair.open(0)
        await pair.open(1)
        await it.host.next(Wanted, session=pair.names[0], message_id=pair.waiting)
        last = "LAST"
        await it.host.send(pair.names[0], last, pair.phones[1], "the next")
        await it.host.next(InboundMessage, session=pair.names[1], message_id=last)
        assert pair.waiting not in [message.message_id for message in it.host.inbox.of(InboundMessage)]
