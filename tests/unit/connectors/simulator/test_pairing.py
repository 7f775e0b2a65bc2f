import itertools

from actors.connectors.link_events import Closed, Opened, Paired, Qr
from actors.connectors.protocol import Admission, Phase
from tests.contract.peers import SessionPeer, refusal
from tests.unit.connectors.simulator.rig import PAIRED, Rig, rig
from tests.unit.connectors.simulator.virtual import EPOCH, in_virtual_time


async def pairing(r: Rig, name: str = "a") -> SessionPeer:
    peer = await r.session(name, {"phone": "15550001"})
    await peer.ask("open")
    return peer


@in_virtual_time
async def test_qrs_replace_each_other_until_the_pairing_expires() -> None:
    async with rig() as r:
        peer = await pairing(r)
        shown = [await peer.next(Qr, 100) for _ in range(6)]
        assert [qr.qr for qr in shown] == [f"sim:a:{number}" for number in range(1, 7)]
        assert [round((qr.expires_at - qr.at) / 1000) for qr in shown] == [60, 20, 20, 20, 20, 20]
        assert all(abs(before.expires_at - after.at) <= 1 for before, after in itertools.pairwise(shown))
        assert await r.closed(peer) == (408, "pairing_expired")
        assert abs(r.loop.time() - 160) < 1


@in_virtual_time
async def test_scan_pairs_the_phone_that_scanned() -> None:
    async with rig() as r:
        peer = await pairing(r)
        qr = await peer.next(Qr)
        await r.host.ask("scan", session="a", qr=qr.qr, phone="15550002")
        assert (await peer.next(Paired)).me == "15550002:1@s.whatsapp.net"
        assert set(r.vault.entries("a")) == {"creds", *(f"pre-key-{number}" for number in range(1, 6))}
        assert await r.closed(peer) == (515, "stream_error")
        await peer.ask("open")
        assert (await peer.next(Opened)).me == "15550002:1@s.whatsapp.net"


@in_virtual_time
async def test_phone_of_the_profile_scans_by_default() -> None:
    async with rig() as r:
        peer = await pairing(r)
        await peer.next(Qr)
        await r.host.ask("scan", session="a")
        assert (await peer.next(Paired)).me == "15550001:1@s.whatsapp.net"


@in_virtual_time
async def test_only_the_qr_on_show_can_be_scanned_and_once() -> None:
    async with rig() as r:
        peer = await pairing(r)
        old = await peer.next(Qr)
        new = await peer.next(Qr, 100)
        assert (await refusal(r.host.ask("scan", session="a", qr=old.qr))).data == {"key": "qr"}
        await r.host.ask("scan", session="a", qr=new.qr)
        assert (await refusal(r.host.ask("scan", session="a", qr=new.qr))).code == "not_pairing"
        assert (await peer.status()).qr is None
        await peer.next(Paired)
        assert (await refusal(r.host.ask("scan", session="a"))).code == "not_pairing"


@in_virtual_time
async def test_code_pairs_the_phone_that_it_was_asked_for() -> None:
    async with rig() as r:
        peer = await pairing(r)
        await peer.next(Qr)
        assert (await refusal(r.host.ask("enter_code", session="a", code="ABCD1234"))).code == "bad_request"
        first = await peer.ask("pairing_code", phone="15550003")
        second = await peer.ask("pairing_code", phone="15550003")
        assert first["code"] != second["code"]
        assert abs(second["expiresAt"] / 1000 - EPOCH - 160) < 1
        assert (await refusal(r.host.ask("enter_code", session="a", code=first["code"]))).code == "bad_request"
        await r.host.ask("enter_code", session="a", code=second["code"])
        assert (await peer.next(Paired)).me == "15550003:1@s.whatsapp.net"


@in_virtual_time
async def test_code_is_refused_unless_pairing() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        assert (await refusal(peer.ask("pairing_code", phone="15550003"))).code == "not_pairing"
        assert (await refusal(r.host.ask("enter_code", session="a", code="X"))).code == "not_pairing"


@in_virtual_time
async def test_interrupted_pairing_leaves_nothing_behind() -> None:
    async with rig() as r:
        peer = await pairing(r)
        await peer.next(Qr)
        r.vault.refuse("full")
        await r.host.ask("scan", session="a")
        closed = await peer.next(Closed)
        assert (closed.code, closed.reason, closed.data) == (0, "error", {"vault": "full"})
        assert not (await peer.status()).paired
        assert r.vault.entries("a") == {}
        r.vault.refuse(None)
        await peer.ask("open")
        assert (await peer.next(Qr)).qr == "sim:a:1"


@in_virtual_time
async def test_network_fault_cuts_a_pairing_short() -> None:
    async with rig() as r:
        peer = await pairing(r)
        await peer.next(Qr)
        await r.fault("a", "drop")
        assert await r.closed(peer) == (428, "network")
        assert (await peer.status()).phase is Phase.IDLE


@in_virtual_time
async def test_new_pairing_makes_a_new_device() -> None:
    async with rig() as r:
        peer = await r.opened("a", PAIRED)
        first = (await peer.status()).me
        await r.fault("a", "logged_out")
        assert await r.closed(peer) == (401, "stream_error")
        await peer.ask("open")
        assert await r.closed(peer) == (401, "login_failure")
        await peer.ask("reset_auth")
        await peer.ask("open")
        await peer.next(Qr)
        await r.host.ask("scan", session="a")
        await peer.next(Paired)
        await r.closed(peer)
        await peer.ask("open")
        await peer.next(Opened)
        second = (await peer.status()).me
        assert first is not None
        assert second == first.replace(":1@", ":2@")


@in_virtual_time
async def test_pairings_begin_one_after_the_other_but_show_their_qrs_together() -> None:
    async with rig(Admission(1000, 1000, 1)) as r:
        first = await pairing(r, "a")
        second = await pairing(r, "b")
        assert (await second.status()).phase is Phase.QUEUED
        third = await r.opened("c", {"paired": True, "latency_ms": 1, "jitter_ms": 0})
        assert (await second.status()).phase is Phase.QUEUED
        await first.next(Qr)
        await second.next(Qr)
        assert [(await peer.status()).phase for peer in (first, second, third)] == [
            Phase.PAIRING,
            Phase.PAIRING,
            Phase.OPEN,
        ]
