import asyncio
import itertools

import pytest

from actors.connectors.link_events import (
    Closed,
    Heard,
    HeartbeatMissed,
    Opened,
    PhaseChanged,
    Qr,
    Quality,
    Rtt,
    Timelock,
    Undecryptable,
)
from actors.connectors.protocol import Phase
from actors.connectors.rating import Rated, Rating
from tests.contract.peers import HostPeer, refusal
from tests.unit.connectors.simulator.rig import PAIRED, rig
from tests.unit.connectors.simulator.virtual import EPOCH, in_virtual_time


@in_virtual_time
async def test_profile_may_say_that_it_is_paired() -> None:
    async with rig() as r:
        peer = await r.session("a", PAIRED)
        assert peer.state.paired
        assert r.vault.entries("a") == {}
        await peer.ask("open")
        opened = await peer.next(Opened)
        assert opened.me is not None
        assert opened.me.startswith("999")
        assert "creds" in r.vault.entries("a")
        await peer.ask("logout")
        assert await r.closed(peer) == (401, "intentional_logout")
        again = await r.session("a", PAIRED)  # the profile speaks of the beginning only
        assert not again.state.paired


@in_virtual_time
async def test_login_takes_the_latency_of_three_answers() -> None:
    async with rig() as r:
        peer = await r.session("a", {"paired": True, "latency_ms": 100, "jitter_ms": 0})
        await peer.ask("open")
        assert (await peer.next(Opened)).login_ms == pytest.approx(300)


@in_virtual_time
async def test_each_login_is_committed() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        first = r.vault.entries("a")["creds"]
        await peer.ask("close")
        await peer.ask("open")
        await peer.next(Opened)
        assert r.vault.entries("a")["creds"] != first


@in_virtual_time
async def test_heartbeats_come_each_interval() -> None:
    async with rig(heartbeatMs=10_000) as r:
        peer = await r.session("a", {"paired": True, "latency_ms": 50, "jitter_ms": 0})
        await peer.ask("open")
        beats = [await peer.next(Rtt) for _ in range(5)]
        assert {beat.ms for beat in beats} == {50}
        gaps = {round((after.at - before.at) / 1000, 1) for before, after in itertools.pairwise(beats)}
        assert gaps == {10}


@in_virtual_time
async def test_a_login_is_heard() -> None:
    async with rig() as r:
        peer = await r.session("a")
        await peer.ask("open")
        await peer.next(Opened)
        await peer.next(Heard)
        await peer.next(Rtt)
        assert peer.inbox.names.index("heard") == peer.inbox.names.index("open") + 1


@in_virtual_time
async def test_heartbeats_of_a_fleet_are_spread() -> None:
    async with rig(heartbeatMs=10_000) as r:
        peers = [await r.opened(f"s{number}") for number in range(20)]
        moments = sorted([(await peer.next(Rtt)).at for peer in peers])
        assert moments[-1] - moments[0] > 5_000


@in_virtual_time
async def test_half_open_connection_is_given_up_after_one_missed_heartbeat() -> None:
    async with rig(heartbeatMs=10_000, heartbeatTimeoutMs=8_000) as r:
        peer = await r.opened("a")
        await r.fault("a", "half_open")
        started = r.loop.time()
        await peer.next(HeartbeatMissed, 20)
        assert await r.closed(peer) == (408, "heartbeat")
        assert r.loop.time() - started <= 18
        await peer.ask("open")
        await peer.next(Opened)
        await peer.next(Rtt)


@in_virtual_time
async def test_answer_slower_than_the_limit_is_a_missed_heartbeat() -> None:
    async with rig(heartbeatTimeoutMs=1_000) as r:
        peer = await r.opened("a")
        await r.fault("a", "slow", added_ms=500, for_s=60)
        assert (await peer.next(Rtt, 20)).ms > 500
        await r.fault("a", "slow", added_ms=1_500)
        assert await r.closed(peer) == (408, "heartbeat")


@in_virtual_time
async def test_login_without_answer_ends_at_the_deadline() -> None:
    async with rig(openDeadlineMs=45_000) as r:
        peer = await r.opened("a")
        await r.fault("a", "stall", for_s=100)
        assert (await peer.status()).phase is Phase.OPEN
        await peer.ask("close")
        started = r.loop.time()
        await peer.ask("open")
        await peer.next(Closed)  # of the first connection
        assert await r.closed(peer) == (408, "open_deadline")
        assert r.loop.time() - started == pytest.approx(45, abs=0.1)


@in_virtual_time
async def test_ban_stays_over_logins_and_sessions_actors_until_cleared() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        await r.fault("a", "banned")
        assert await r.closed(peer) == (406, "login_failure")
        await asyncio.sleep(3600)
        peer = await r.session("a")
        for _ in range(2):
            await peer.ask("open")
            assert await r.closed(peer) == (406, "login_failure")
        assert await r.host.ask("clear", session="a") == {"sessions": 1}
        await peer.ask("open")
        await peer.next(Opened)


@in_virtual_time
async def test_temporary_ban_ends_by_itself() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        await r.fault("a", "temporary_ban", expire_s=3600)
        closed = await peer.next(Closed)
        assert (closed.code, dict(closed.data)) == (402, {"code": "101", "expire": "3600"})
        await asyncio.sleep(3000)
        await peer.ask("open")
        assert (await peer.next(Closed)).data["expire"] == "600"
        await asyncio.sleep(601)
        await peer.ask("open")
        await peer.next(Opened)


@in_virtual_time
async def test_network_that_is_down_refuses_logins_meanwhile() -> None:
    async with rig() as r:
        peers = [await r.opened(name) for name in "ab"]
        struck = await r.host.ask("fault", session="*", fault="network", for_s=30)
        assert struck == {"sessions": 2, "at": struck["at"]}
        for peer in peers:
            assert await r.closed(peer) == (428, "network")
            await peer.ask("open")
            closed = await peer.next(Closed)
            assert (closed.code, closed.reason, closed.data["errno"]) == (408, "network", "ECONNREFUSED")
        await asyncio.sleep(30)
        for peer in peers:
            await peer.ask("open")
            await peer.next(Opened)


@in_virtual_time
async def test_script_plays_at_its_times_over_connections_and_links() -> None:
    script = [
        {"after_s": 60, "fault": "drop", "repeat_s": 100},
        {"after_s": 200, "fault": "restart_required"},
        {"after_s": 200, "fault": "undecryptable"},
    ]
    async with rig() as r:
        peer = await r.session("a", {"paired": True, "script": script})
        ends = []
        for generation in range(4):
            if generation == 2:
                peer = await r.session("a", {"paired": True, "script": script})
            await peer.ask("open")
            closed = await peer.next(Closed, 1000)
            ends.append((round(closed.at / 1000 - EPOCH), closed.code))
        assert ends == [(60, 428), (160, 428), (200, 515), (260, 428)]


@in_virtual_time
async def test_undecryptable_messages_are_told_to_both() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        await r.fault("a", "undecryptable", count=3)
        ids = [(await peer.next(Undecryptable)).message_id for _ in range(3)]
        told = [await r.host.next(Undecryptable, session="a") for _ in range(3)]
        assert [event.message_id for event in told] == ids
        assert len(set(ids)) == 3
        assert all(event.sender and event.sender.endswith("@s.whatsapp.net") for event in told)


@in_virtual_time
async def test_timelock_is_told_when_it_begins_when_logging_in_and_when_it_ends() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        await r.fault("a", "timelock", for_s=100)
        first = await peer.next(Timelock)
        assert first.active
        assert first.until is not None
        assert abs(first.until / 1000 - EPOCH - r.loop.time() - 100) < 1
        assert (await refusal(r.host.send("a", "M", "15550001"))).data == {"error": 463}
        await r.fault("a", "drop")
        await peer.ask("open")
        assert (await peer.next(Timelock)).until == pytest.approx(first.until, abs=2)
        last = await peer.next(Timelock, 200)
        assert (last.active, last.until) == (False, None)
        await r.host.send("a", "M", "15550001")


@in_virtual_time
async def test_a_rating_is_told_when_logging_in_when_it_changes_and_each_hour() -> None:
    async with rig() as r:
        peer = await r.opened("a", {"paired": True, "quality": "high"})
        first = await peer.next(Quality)
        assert (first.rating, (await peer.status()).quality) == (Rating.HIGH, Rated(Rating.HIGH, first.at))
        await r.fault("a", "quality", rating="low")
        await r.fault("a", "quality", rating="low")  # no news
        assert (await peer.next(Quality)).rating is Rating.LOW
        again = await peer.next(Quality, 4000)
        assert again.at - first.at >= 3_600_000
        await r.fault("a", "drop")
        await peer.ask("open")
        assert (await peer.next(Quality)).at > again.at
        await r.host.ask("clear", session="a")
        assert (await peer.next(Quality)).rating is Rating.HIGH
        assert [event.rating for event in peer.inbox.of(Quality)] == ["high", "low", "low", "low", "high"]


@in_virtual_time
async def test_a_number_that_is_not_rated_is_told_so_only_when_it_was() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        await r.fault("a", "quality", rating="medium")
        await r.host.ask("clear", session="a")
        await peer.next(Quality, rating=Rating.UNKNOWN)
        assert [event.rating for event in peer.inbox.of(Quality)] == ["medium", "unknown"]
        await peer.ask("logout")
        assert (await peer.status()).quality is None


@in_virtual_time
async def test_damaged_credentials_close_with_a_cause() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        await peer.ask("close")
        handle = r.link
        generation = await handle.reserve("a")
        await handle.request("claim", session="a", generation=generation)
        await handle.request("commit", session="a", generation=generation, set={"creds": b"\xc1"})
        peer = await r.session("a")
        await peer.ask("open")
        assert await r.closed(peer) == (500, "error")


@in_virtual_time
async def test_credentials_of_another_world_are_refused() -> None:
    async with rig(seed=1) as r:
        peer = await r.opened("a")
        await peer.ask("close")
        entries = r.vault.entries("a")
        async with rig(seed=2) as other:
            generation = await other.link.reserve("a")
            await other.link.request("claim", session="a", generation=generation)
            await other.link.request("commit", session="a", generation=generation, set=entries, paired=True)
            stranger = await other.session("a", None)
            await stranger.ask("open")
            assert await other.closed(stranger) == (401, "login_failure")


@in_virtual_time
async def test_lost_credentials_lead_to_a_pairing() -> None:
    async with rig() as r:
        generation = await r.link.reserve("a")
        await r.link.request("claim", session="a", generation=generation)
        await r.link.request("commit", session="a", generation=generation, set={}, paired=True)
        peer = await r.session("a", None)
        assert peer.state.paired
        await peer.ask("open")
        await peer.next(Qr)


@in_virtual_time
async def test_vault_that_is_away_for_a_moment_harms_nobody() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        await r.vault.stop()
        sending = asyncio.ensure_future(r.host.send("a", "M", "15550001"))
        await asyncio.sleep(3)
        assert not sending.done()
        await r.vault.start()
        await sending
        assert (await peer.status()).phase is Phase.OPEN


@in_virtual_time
async def test_vault_that_stays_away_ends_the_session() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        await r.vault.stop()
        started = r.loop.time()
        assert (await refusal(r.host.send("a", "M", "15550001"))).code == "closed"
        assert await r.closed(peer) == (0, "vault_unavailable")
        assert r.loop.time() - started == pytest.approx(5, abs=0.2)
        await peer.ask("open")
        assert await r.closed(peer) == (0, "vault_unavailable")


@in_virtual_time
async def test_hello_fails_when_the_vault_is_away() -> None:
    async with rig() as r:
        generation = await r.link.reserve("a")
        await r.vault.stop()
        error = await refusal(
            HostPeer.greet(r.socket, lambda _: None, role="session", session="a", generation=generation)
        )
        assert error.code == "vault_unavailable"


@in_virtual_time
async def test_second_host_is_refused() -> None:
    async with rig() as r:
        assert (await refusal(HostPeer.connect(r.socket))).code == "busy"


@in_virtual_time
async def test_link_that_says_nothing_is_ended() -> None:
    async with rig() as r:
        reader, writer = await asyncio.open_unix_connection(r.socket)
        assert await reader.read() == b""
        assert r.loop.time() == pytest.approx(10, abs=0.1)
        writer.close()


@in_virtual_time
async def test_bad_profile_refuses_the_hello_naming_the_key() -> None:
    async with rig() as r:
        error = await refusal(r.session("a", {"script": [{"after_s": 1, "fault": "flood"}]}))
        assert (error.code, error.data) == ("bad_request", {"key": "profile.script[0].fault"})


@in_virtual_time
async def test_faults_of_unknown_sessions_are_refused() -> None:
    async with rig() as r:
        assert (await refusal(r.fault("nobody", "drop"))).code == "unknown_session"
        assert (await refusal(r.fault("*", "flood"))).code == "bad_request"
        assert (await refusal(r.host.ask("fault", session="*", fault="drop", often=1))).data == {"key": "often"}


@in_virtual_time
async def test_fault_does_not_touch_what_still_waits() -> None:
    async with rig() as r:
        await r.host.ask("admission", connectsPerSecond=0, burst=1, pairings=1)
        await r.opened("a")
        peer = await r.session("b")
        await peer.ask("open")
        await r.fault("b", "drop")
        assert (await peer.status()).phase is Phase.QUEUED
        await r.host.ask("admission", connectsPerSecond=10, burst=1, pairings=1)
        await peer.next(Opened)


@in_virtual_time
async def test_grace_is_three_seconds() -> None:
    async with rig() as r:
        peer = await r.opened("a")
        await peer.leave()
        await asyncio.sleep(2.9)
        peer = await r.session("a")
        assert peer.hello.adopted
        await peer.leave()
        started = r.loop.time()
        await r.host.next(PhaseChanged, session="a", phase=Phase.IDLE)
        assert r.loop.time() - started == pytest.approx(3, abs=0.05)
