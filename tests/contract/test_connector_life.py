"""What `docs/connector-protocol.md` promises about a connection's life, held against every connector."""

import time
from dataclasses import replace

import pytest

from actors.connectors.link_events import (
    Closed,
    HeartbeatMissed,
    Opened,
    Paired,
    PhaseChanged,
    Qr,
    Reached,
    Rtt,
)
from actors.connectors.protocol import ADMIT, Phase
from tests.contract.harness import FREELY, Subject, causes
from tests.contract.peers import refusal

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("tidy")]


TELL_REACHED = {"simulator", "baileys"}


async def test_phases_are_told_to_session_and_host(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.paired(name, phone)
    assert peer.state.paired
    await peer.ask("open")
    opened = await peer.next(Opened)
    state = await peer.status()
    assert (state.phase, state.paired, state.me, state.qr) == (Phase.OPEN, True, opened.me, None)
    assert state.me is not None
    assert state.me.startswith(phone)
    assert state.opened_at is not None
    assert opened.login_ms > 0
    await peer.ask("close")
    told = [n for n in peer.inbox.names if n not in {"rtt", "queued", "heard", "quality"}]
    assert told == ["connecting", "open", "closed"]
    await shared.host.next(PhaseChanged, session=name, phase=Phase.IDLE)
    phases = [event.phase for event in shared.host.inbox.of(PhaseChanged) if event.session == name]
    assert [p for p in phases if p is not Phase.QUEUED] == [Phase.CONNECTING, Phase.OPEN, Phase.IDLE]
    await peer.leave()


async def test_open_is_busy_unless_idle(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.paired(name, phone)
    await peer.ask("open")
    assert (await refusal(peer.ask("open"))).code == "busy"
    await peer.next(Opened)
    assert (await refusal(peer.ask("open"))).code == "busy"
    assert (await refusal(peer.ask("reset_auth"))).code == "busy"
    await shared.close(peer)


async def test_close_is_told_before_it_is_answered(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await peer.ask("close")
    assert causes(peer) == [(0, "closed_by_us")]
    assert (await peer.status()).phase is Phase.IDLE
    await peer.ask("close")
    assert len(causes(peer)) == 1
    await peer.leave()


async def test_close_ends_a_login(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.paired(name, phone)
    await peer.ask("open")
    await peer.ask("close")
    assert causes(peer) == [(0, "closed_by_us")]
    await peer.ask("open")
    await peer.next(Opened)
    assert len(causes(peer)) == 1
    await shared.close(peer)


async def test_lost_connection_is_closed_once_and_opens_again(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.connector.cut(shared.host, name, phone)
    closed = await peer.next(Closed)
    assert (closed.code, closed.reason) == (428, "network")
    await peer.ask("open")
    await peer.next(Opened)
    assert len(causes(peer)) == 1
    await shared.close(peer)


def by(seconds: float) -> float:
    """So many seconds from now, in milliseconds of CLOCK_MONOTONIC."""
    return (time.monotonic() + seconds) * 1000


async def test_connection_begins_when_its_host_says_so(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.paired(name, phone)
    assert (await refusal(shared.host.ask("admit", session=name, at=by(0), by=by(5)))).code in {
        "not_queued",
        "unknown_command",
    }
    await shared.host.ask("admission", **replace(FREELY, by_host=True).to_wire())
    await peer.ask("open")
    if ADMIT in shared.host.hello.capabilities:
        queued = await shared.host.next(PhaseChanged, session=name, phase=Phase.QUEUED)
        assert queued.pairing is False
        assert (await peer.status()).phase is Phase.QUEUED
        assert (await refusal(shared.host.ask("admit", session=name, at=by(-2), by=by(-1)))).code == "late"
        assert (await refusal(shared.host.ask("admit", session=name, at=by(0), by="soon"))).code == "bad_request"
        assert (await refusal(shared.host.ask("admit", session="nobody", at=by(0), by=by(5)))).code == "unknown_session"
        assert "connecting" not in peer.inbox.names
        at = by(0.2)
        assert await shared.host.ask("admit", session=name, at=at, by=by(5)) == {}
        assert by(0) >= at, "not before its time"
        assert (await refusal(shared.host.ask("admit", session=name, at=by(0), by=by(5)))).code == "not_queued"
        if shared.connector.name in TELL_REACHED:
            reached = await shared.host.next(Reached, session=name)
            while reached.clock < at:  # of the connection before
                reached = await shared.host.next(Reached, session=name)
            assert reached.clock <= by(0) + 1
    await peer.next(Opened)
    await shared.host.ask("admission", **FREELY.to_wire())
    await shared.close(peer)


async def test_who_waits_for_its_host_can_be_closed_and_be_a_pairing(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.session(name, phone)
    await shared.host.ask("admission", **replace(FREELY, by_host=True).to_wire())
    await peer.ask("open")
    if ADMIT in shared.host.hello.capabilities:
        assert (await shared.host.next(PhaseChanged, session=name, phase=Phase.QUEUED)).pairing is True
    await peer.ask("close")
    await peer.next(Closed)
    await peer.ask("open")
    await shared.host.ask("admission", **FREELY.to_wire())  # from now on it lets in by itself again
    await peer.next(Qr)
    await shared.close(peer)


async def test_heartbeats_measure_the_round_trip(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    for _ in range(2):
        assert (await peer.next(Rtt)).ms > 0
    await shared.close(peer)


async def test_silent_peer_is_noticed(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.connector.fall_silent(shared.host, name, phone)
    await peer.next(HeartbeatMissed)
    await peer.next(Closed)
    assert causes(peer) == [(408, "heartbeat")]
    await peer.leave()


# ---- pairing


async def test_pairs_by_qr_and_logs_in(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.session(name, phone)
    await peer.ask("open")
    qr = await peer.next(Qr)
    state = await peer.status()
    assert (state.phase, state.paired, state.qr, state.qr_expires_at) == (Phase.PAIRING, False, qr.qr, qr.expires_at)
    assert qr.expires_at > qr.at
    await shared.connector.scan(shared.host, name, qr.qr, phone)
    paired = await peer.next(Paired)
    assert paired.me.startswith(phone)
    assert (await peer.next(Closed)).code == 515
    assert (await peer.status()).paired
    await peer.ask("open")
    assert (await peer.next(Opened)).me is not None
    await shared.close(peer)


async def test_pairs_by_code(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.session(name, phone)
    assert (await refusal(peer.ask("pairing_code", phone=phone))).code == "not_pairing"
    await peer.ask("open")
    await peer.next(Qr)
    assert (await refusal(peer.ask("pairing_code", phone="+1 555"))).code == "bad_request"
    answer = await peer.ask("pairing_code", phone=phone)
    assert len(answer["code"]) == 8
    assert answer["expiresAt"] > 0
    await shared.connector.enter_code(shared.host, name, phone, answer["code"])
    await peer.next(Paired)
    assert (await peer.next(Closed)).code == 515
    await peer.leave()


async def test_pairing_can_be_closed(shared: Subject, name: str) -> None:
    peer = await shared.session(name)
    await peer.ask("open")
    await peer.next(Qr)
    await peer.ask("close")
    assert causes(peer) == [(0, "closed_by_us")]
    state = await peer.status()
    assert (state.phase, state.paired, state.qr) == (Phase.IDLE, False, None)
    await peer.leave()


async def test_logout_removes_device_and_auth_state(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await peer.ask("logout")
    await peer.next(Closed)
    assert causes(peer) == [(401, "intentional_logout")]
    assert not (await peer.status()).paired
    await peer.ask("open")
    await peer.next(Qr)
    await shared.close(peer)
    assert await (await shared.claimed(name)).load() == {}


async def test_reset_auth_deletes_the_auth_state(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.paired(name, phone)
    await peer.ask("reset_auth")
    assert not (await peer.status()).paired
    assert await (await shared.claimed(name)).load() == {}
    await peer.leave()


async def test_device_removed_on_the_phone_can_not_log_in(shared: Subject, name: str, phone: str) -> None:
    peer = await shared.opened(name, phone)
    await shared.connector.unlink(shared.host, name, phone)
    assert (await peer.next(Closed)).code == 401
    await peer.ask("open")
    assert (await peer.next(Closed)).code == 401
    await peer.ask("reset_auth")
    await peer.ask("open")
    await peer.next(Qr)
    await shared.close(peer)
