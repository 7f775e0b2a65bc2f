"""What `docs/connector-protocol.md` promises about the life of the process: each test has one of its own."""

import time
from dataclasses import replace

import psutil
import pytest

from actors.connectors.link_events import (
    Closed,
    Opened,
    Paired,
    PhaseChanged,
    Qr,
)
from actors.connectors.protocol import ADMIT, Phase
from tests.contract.connectors import Connector
from tests.contract.harness import FREELY, causes, fresh_name, fresh_phone, subject
from tests.contract.peers import HostPeer, refusal
from tests.fixtures_daemon import until

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

REST = 0.3
"""Seconds without any work after which a process that was just started counts as loaded."""
MANY = 140
"""Sessions: more than any connector has to serve, or to remember, at a time."""
AT_A_TIME = 100
"""Sessions that any connector serves at a time."""


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


async def test_sessions_come_and_go_without_end(connector: Connector, name: str, phone: str) -> None:
    async with subject(connector) as it:
        witness = await it.opened(name, phone)
        unseen = await it.opened(fresh_name(), fresh_phone())
        await unseen.leave()
        await it.host.next(PhaseChanged, session=unseen.id, phase=Phase.IDLE)
        for _ in range(MANY):
            peer = await it.session(fresh_name())
            assert (await peer.status()).phase is Phase.IDLE
            await peer.leave()
        assert witness.inbox.of(Closed) == []
        assert (await it.host.send(name, "M-still-there", fresh_phone()))["ms"] >= 0
        back = await it.session(unseen.id)
        await back.next(Closed)
        assert causes(back) == [(0, "closed_by_us")], "what nobody saw is kept for longest"
        await (await it.opened(fresh_name(), fresh_phone())).leave()


async def test_sessions_whose_end_nobody_saw_hinder_no_others(connector: Connector) -> None:
    async with subject(connector) as it:
        nobody = replace(FREELY, connects_per_second=0.0, burst=1, by_host=ADMIT in it.host.hello.capabilities)
        await it.host.ask("admission", **nobody.to_wire())
        gone = [await it.session(fresh_name()) for _ in range(AT_A_TIME)]
        for peer in gone:
            await peer.ask("open")
            await peer.leave()
        for peer in gone:
            await it.host.next(PhaseChanged, session=peer.id, phase=Phase.IDLE)
        for _ in range(AT_A_TIME):
            assert (await it.session(fresh_name())).state.phase is Phase.IDLE
