"""What `docs/connector-protocol.md` promises about ratings, held against the connectors that have the capability."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from actors.connectors.link_events import Closed, Paired, Qr, Quality
from actors.connectors.rating import QUALITY, Rated, Rating
from tests.contract.connectors import PlainUnderTest, SimulatorUnderTest
from tests.contract.harness import Subject

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("tidy")]

Rater = SimulatorUnderTest | PlainUnderTest


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[SimulatorUnderTest, PlainUnderTest])
async def connector(request: pytest.FixtureRequest) -> AsyncIterator[Rater]:
    """Those that can; WhatsApp rates the numbers of its Business Platform only, which Baileys does not speak to."""
    connector: Rater = request.param()
    await connector.start()
    yield connector
    await connector.stop()


async def test_it_says_that_it_can(shared: Subject) -> None:
    assert QUALITY in shared.host.hello.capabilities


async def test_a_rating_is_told_when_it_changes_and_after_each_login(
    connector: Rater, shared: Subject, name: str, phone: str
) -> None:
    peer = await shared.opened(name, phone)
    for rating in (Rating.HIGH, Rating.MEDIUM, Rating.LOW):
        await connector.rate(shared.host, name, phone, rating)
        told = await peer.next(Quality, rating=rating)
        assert (await peer.status()).quality == Rated(rating, told.at)
    before = len(peer.inbox.of(Quality))
    await connector.cut(shared.host, name, phone)
    await peer.next(Closed)
    await peer.ask("open")
    await peer.next(Quality, rating=Rating.LOW)
    assert len(peer.inbox.of(Quality)) == before + 1
    names = peer.inbox.names
    assert names.index("quality", names.index("closed")) > names.index("open", names.index("closed"))
    await shared.close(peer)


async def test_who_takes_over_finds_the_rating_in_the_state(
    connector: Rater, shared: Subject, name: str, phone: str
) -> None:
    first = await shared.opened(name, phone)
    await connector.rate(shared.host, name, phone, "medium")
    told = await first.next(Quality, rating=Rating.MEDIUM)
    await first.leave()
    await connector.rate(shared.host, name, phone, "low")  # while nobody is there
    second = await shared.session(name, phone)
    assert second.hello.adopted
    assert second.state.quality is not None
    assert second.state.quality.rating is Rating.LOW
    assert second.state.quality.at >= told.at
    await shared.close(second)


async def test_another_device_has_no_rating_before_its_login(
    connector: Rater, shared: Subject, name: str, phone: str
) -> None:
    peer = await shared.opened(name, phone)
    await connector.rate(shared.host, name, phone, "low")
    await peer.next(Quality, rating=Rating.LOW)
    await peer.ask("logout")
    assert (await peer.status()).quality is None
    await peer.ask("open")
    await connector.scan(shared.host, name, (await peer.next(Qr)).qr, phone)
    await peer.next(Paired)
    await peer.next(Closed, code=515)
    assert (await peer.status()).quality is None
    await shared.close(peer)
