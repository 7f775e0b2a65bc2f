"""Connectors under test, and what their tests share."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.contract.connectors import BaileysUnderTest, Connector, PlainUnderTest, SimulatorUnderTest
from tests.contract.harness import Subject, fresh_name, fresh_phone, subject

CONNECTORS: list[type[Connector]] = [SimulatorUnderTest, BaileysUnderTest, PlainUnderTest]


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


@pytest_asyncio.fixture(loop_scope="module")
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
