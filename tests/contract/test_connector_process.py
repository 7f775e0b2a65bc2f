"""What `docs/connector-protocol.md` promises about the life of the process: each test has one of its own."""

import time

import psutil
import pytest

from actors.connectors.link_events import (
    Closed,
    Opened,
    Paired,
    Qr,
)
from tests.contract.connectors import Connector
from tests.contract.harness import fresh_phone, subject
from tests.contract.peers import HostPeer, refusal
from tests.fixtures_daemon import until

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

REST = 0.3
"""Seconds without any work after which a process that was just started counts as loaded."""


async def loaded(process: psutil.Process) -> None:
    """Returns when it has slept for a while without using the processor: it is not on its way any more."""
    known = (-1.0, 0.0)

    def rests() -> bool:
        nonlocal known
        used, now = sum(process.cpu_times()[:2]), time.monotonic()
        if used != known[0] or process.status() != psutil.STATUS_SLEEPING:
            known = (used, now)
        return now - known[1] > REST

    await until("it has loaded and waits", rests)


async def test_process_ends_with_its_standard_input(connector: Connector) -> None:
    async with subject(connector) as it:
        assert it.process.stdin is not None
        it.process.stdin.close()
        assert await it.exit_status(1.0) == 0


async def test_process_that_was_started_ahead_of_time_waits_with_empty_hands(connector: Connector, name: str) -> None:
    async with subject(connector) as it:
        await it.end_process()
        await it.fork_process()
        process = psutil.Process(it.process.pid)
        await loaded(process)
        sockets = process.net_connections("all")  # a pair of its own has no address
        assert not [each for each in sockets if each.status != psutil.CONN_NONE or str(each.laddr)]
        await it.begin_process()
        it.host = await HostPeer.connect(it.socket)
        peer = await it.session(name)
        assert peer.state.phase == "idle"
        await peer.leave()


async def test_process_that_is_not_needed_ends_without_a_word(connector: Connector) -> None:
    async with subject(connector) as it:
        await it.end_process()
        await it.fork_process()
        process = psutil.Process(it.process.pid)
        await loaded(process)
        assert it.process.stdin is not None
        it.process.stdin.close()
        assert await it.exit_status(1.0) == 0
        assert await it.end_process() == (b"", b"")


async def test_process_ends_with_its_hosts_link_and_says_nothing_else(connector: Connector, name: str) -> None:
    async with subject(connector) as it:
        peer = await it.session(name)
        await it.host.leave()
        assert await it.exit_status(1.0) == 0
        await peer.ended()
        stdout, _ = await it.end_process()
        assert stdout == b""


async def test_auth_state_survives_the_death_of_the_process(connector: Connector, name: str, phone: str) -> None:
    async with subject(connector) as it:
        peer = await it.session(name, phone)
        await peer.ask("open")
        qr = await peer.next(Qr)
        await connector.scan(it.host, name, qr.qr, phone)
        await peer.next(Paired)
        await it.end_process()
        await it.start_process()  # the old socket is still there
        it.host = await HostPeer.connect(it.socket)
        peer = await it.session(name, phone)
        assert peer.state.paired
        await peer.ask("open")
        await peer.next(Opened)
        await it.host.send(name, "M-after", fresh_phone())
        await peer.leave()


async def test_session_ends_when_the_vault_stays_away(connector: Connector, name: str, phone: str) -> None:
    async with subject(connector) as it:
        peer = await it.opened(name, phone)
        await it.vault.stop()
        error = await refusal(it.host.send(name, "M-nowhere", fresh_phone()))
        assert error.code in {"closed", "vault_unavailable"}
        assert (await peer.next(Closed)).reason == "vault_unavailable"
        await peer.leave()
