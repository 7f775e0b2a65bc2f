"""The real client through real proxies on loopback: everything goes through them, and never past them."""

import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from actors.connectors.link_events import Closed, InboundMessage, Opened, Qr
from actors.connectors.protocol import PROXY, Phase
from tests.contract.peers import SessionPeer, refusal
from tests.integration.bridgekit import Rig, fresh_name, fresh_phone, rig
from tests.labclient import Lab
from tests.proxies import ConnectProxy, Proxy, SocksProxy

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

NAME = "whatsapp.test"
"""What only the proxies can look up (RFC 2606)."""
LOGIN = ("user", "zk7%s3cret")
WRITTEN = ("user", "zk7%25s3cret")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(lab: Lab) -> AsyncIterator[Rig]:
    """Nobody but a proxy finds its server."""
    url = lab.ws_url
    lab.ws_url = url.replace("127.0.0.1", NAME)
    async with rig(lab, open_deadline_ms=4000) as running:
        lab.ws_url = url
        yield running
        assert running.process.returncode is None
        log = json.dumps(await running.stop())
        assert LOGIN[1] not in log
        assert WRITTEN[1] not in log


@pytest_asyncio.fixture(loop_scope="module", params=[ConnectProxy, SocksProxy])
async def proxy(request: pytest.FixtureRequest) -> AsyncIterator[Proxy]:
    async with request.param(login=LOGIN, names={NAME: "127.0.0.1"}) as running:
        yield running


async def through(peer: SessionPeer, url: str) -> None:
    await peer.ask("open", proxy={"id": "one.1", "url": url})


async def test_it_pairs_and_works_through_a_proxy_that_looks_its_server_up(lab: Lab, it: Rig, proxy: Proxy) -> None:
    name, phone, other = fresh_name(), fresh_phone(), fresh_phone()
    peer = await it.session(name)
    assert PROXY in peer.hello.capabilities
    await through(peer, proxy.url_with(WRITTEN))
    await lab.scan((await peer.next(Qr)).qr, phone)
    await peer.next(Closed, code=515)
    await through(peer, proxy.url_with(WRITTEN))
    await peer.next(Opened)
    await it.host.send(name, "THROUGH", other)
    message_id = await lab.deliver(phone, other, "hello")
    await it.host.next(InboundMessage, message_id=message_id)
    assert (await peer.status()).proxy == "one.1"
    assert set(proxy.asked) == {(NAME, urlsplit(lab.ws_url).port)}
    assert len(proxy.asked) == 2
    await peer.ask("close")
    assert (await peer.status()).proxy is None
    await peer.leave()


async def test_a_proxy_that_is_down_is_the_cause_and_heals(lab: Lab, it: Rig, proxy: Proxy) -> None:
    name, phone = fresh_name(), fresh_phone()
    peer = await it.session(name)
    await through(peer, proxy.url_with(WRITTEN))
    await lab.scan((await peer.next(Qr)).qr, phone)
    await peer.next(Closed, code=515)
    await proxy.stop()
    await through(peer, proxy.url_with(WRITTEN))
    down = await peer.next(Closed)
    assert (down.code, down.reason) == (0, "proxy")
    assert down.data == {"proxy": "unreachable", "errno": "ECONNREFUSED"}
    await proxy.start()
    await through(peer, proxy.url_with(WRITTEN))
    await peer.next(Opened)
    await proxy.stop()  # while it is open
    assert (await peer.next(Closed)).reason == "network"
    await peer.leave()


async def test_a_wrong_password_is_told_and_not_repeated(it: Rig, proxy: Proxy) -> None:
    peer = await it.session(fresh_name())
    for login in (("user", "wr0ngw0rd"), None):
        await through(peer, proxy.url_with(login))
        closed = await peer.next(Closed)
        assert (closed.code, closed.reason) == (0, "proxy")
        assert closed.data["proxy"] == "auth"
        assert closed.data.get("status") == ("407" if isinstance(proxy, ConnectProxy) else None)
        assert "wr0ngw0rd" not in str(closed)
    await peer.leave()


async def test_a_server_that_the_proxy_does_not_reach(lab: Lab, it: Rig, proxy: Proxy) -> None:
    peer = await it.session(fresh_name())
    await lab.listen(on=False, kill=True)
    try:
        await through(peer, proxy.url_with(WRITTEN))
        closed = await peer.next(Closed)
    finally:
        await lab.listen(on=True)
    assert (closed.reason, closed.data["proxy"]) == ("proxy", "refused")
    await peer.leave()


async def test_a_proxy_that_hangs_is_given_up_and_nothing_of_it_is_left(it: Rig, proxy: Proxy) -> None:
    peer = await it.session(fresh_name())
    proxy.silent = True
    await through(peer, proxy.url_with(WRITTEN))
    closed = await peer.next(Closed)
    assert (closed.reason, closed.data) == ("proxy", {"proxy": "timeout"})
    await through(peer, proxy.url_with(WRITTEN))
    await proxy.reached()
    await peer.ask("close")
    assert (await peer.next(Closed)).reason == "closed_by_us"
    await proxy.idle()
    await peer.leave()


async def test_without_its_proxy_it_goes_nowhere(lab: Lab, proxy: Proxy) -> None:
    async with rig(lab) as it:  # its server is at an address that it could reach by itself
        before = len(await lab.journal("upgrade"))
        peer = await it.session(fresh_name())
        await proxy.stop()
        await through(peer, proxy.url_with(WRITTEN))
        assert (await peer.next(Closed)).reason == "proxy"
        assert len(await lab.journal("upgrade")) == before
        await peer.ask("open")
        await peer.next(Qr)
        assert len(await lab.journal("upgrade")) == before + 1


@pytest.mark.parametrize(
    "wrong",
    [
        *({}, {"id": "a"}, {"id": "a", "url": ""}, {"id": "", "url": "http://h"}, {"id": "a", "url": "ftp://zk7@h"}),
        *(
            "http://zk7@h",
            {"id": "a", "url": "http://zk7:%@h"},
            {"id": "a", "url": "socks5://"},
            {"id": 1, "url": "http://h"},
        ),
    ],
)
async def test_what_is_no_proxy_is_refused_and_nothing_begins(it: Rig, wrong: object) -> None:
    peer = await it.session(fresh_name())
    error = await refusal(peer.ask("open", proxy=wrong))
    assert error.code == "bad_request"
    assert "zk7" not in error.message
    assert (await peer.status()).phase is Phase.IDLE
    await peer.leave()
