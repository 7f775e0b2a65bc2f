"""What `docs/connector-protocol.md` promises about proxies, held against the connectors that have the capability."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from actors.connectors.link_events import Closed, Opened
from actors.connectors.protocol import PROXY, Phase
from tests.contract.connectors import BaileysUnderTest, Connector, SimulatorUnderTest
from tests.contract.harness import Subject
from tests.contract.peers import refusal
from tests.fixtures_processes import free_port
from tests.proxies import ConnectProxy

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("tidy")]

SECRET = "zk7secret"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[SimulatorUnderTest, BaileysUnderTest])
async def connector(request: pytest.FixtureRequest) -> AsyncIterator[Connector]:
    """Those that can; the one in plain Node.js does without proxies."""
    connector: Connector = request.param()
    await connector.start()
    yield connector
    await connector.stop()


def nowhere(shared: Subject) -> dict[str, Any]:
    """A proxy that nobody reaches; the simulator reaches all but those with a name that never exists (RFC 6761)."""
    host = "nowhere.invalid:1" if shared.connector.name == "simulator" else f"127.0.0.1:{free_port()}"
    return {"id": "nowhere.1", "url": f"http://user:{SECRET}@{host}"}


async def test_it_says_that_it_can(shared: Subject) -> None:
    assert PROXY in shared.host.hello.capabilities


async def test_a_connection_says_through_which_proxy_it_goes(shared: Subject, name: str, phone: str) -> None:
    async with ConnectProxy(login=("user", SECRET)) as proxy:
        peer = await shared.paired(name, phone)
        assert peer.state.proxy is None
        await peer.ask("open", proxy={"id": "one.1", "url": proxy.url})
        await peer.next(Opened)
        assert (await peer.status()).proxy == "one.1"
        successor = await shared.session(name, phone)
        assert successor.hello.adopted
        assert successor.state.proxy == "one.1"
        await successor.ask("close")
        assert (await successor.status()).proxy is None
        await successor.ask("open", proxy=None)
        await successor.next(Opened)
        assert (await successor.status()).proxy is None
        await shared.close(successor)


async def test_a_proxy_that_is_not_there_is_the_cause(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.paired(name, phone)
    gone = nowhere(shared)
    for _ in range(2):
        await peer.ask("open", proxy=gone)
        closed = await peer.next(Closed)
        assert (closed.code, closed.reason, closed.data["proxy"]) == (0, "proxy", "unreachable")
        assert SECRET not in str(closed)
    await peer.ask("open")
    await peer.next(Opened)
    await shared.close(peer)


@pytest.mark.parametrize("url", [f"ftp://user:{SECRET}@h:1", "http://", f"socks5://user:{SECRET}%@h", 7])
async def test_what_is_no_proxy_is_refused_without_being_repeated(shared: Subject, name: str, url: object) -> None:
    peer = await shared.session(name)
    error = await refusal(peer.ask("open", proxy={"id": "one.1", "url": url}))
    assert error.code == "bad_request"
    assert SECRET not in error.message
    assert (await peer.status()).phase is Phase.IDLE
    await peer.leave()
