from actors.connectors.link_events import Closed, Opened, Paired, Qr
from tests.unit.connectors.simulator.rig import rig
from tests.unit.connectors.simulator.virtual import in_virtual_time


@in_virtual_time
async def test_pairs_by_qr_then_opens() -> None:
    async with rig() as r:
        peer = await r.session("a", None)
        await peer.ask("open")
        qr = await peer.next(Qr)
        assert qr.qr == "sim:a:1"
        await r.host.ask("scan", session="a", qr=qr.qr, phone="15550001")
        assert (await peer.next(Paired)).me == "15550001:1@s.whatsapp.net"
        assert (await peer.next(Closed)).code == 515
        await peer.ask("open")
        await peer.next(Opened)
        answer = await r.host.send("a", "M1", "15550002")
        assert answer["ms"] > 0
        await peer.ask("close")
        assert (await peer.next(Closed)).reason == "closed_by_us"
