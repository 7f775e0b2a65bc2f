"""What every backend does: the in-memory twin and the real one pass the same tests.

A subclass in a test module has a fixture ``backend_factory``: an async function that takes pairs of a record and a
behaviour, and returns a backend that runs these sessions.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, get_args

import pytest

from actors.store.episode_queries import EpisodeFilter
from daemon.api import models, models_recovery, models_status, models_supervision, render, render_recovery
from daemon.backend import Backend, BackendError, Send, SessionLive, SessionRecord
from tests.memory_backend import Behaviour
from tests.unit.connectors.baileys_states import entries, paired

BackendFactory = Callable[[Sequence[tuple[SessionRecord, Behaviour]]], Awaitable[Backend]]

OPENS = SessionRecord("opens-1", "simulator", {"team": "a"}, source="wavigil.yaml:3")
UNPAIRED = SessionRecord("unpaired-1", "simulator", source="wavigil.yaml:4")
LOCKED = SessionRecord("locked-1", "simulator", source="wavigil.yaml:5")
MADE = SessionRecord("made-1", "simulator", {"team": "b"}, origin="api")

TO = "15550100189@s.whatsapp.net"
OTHER = "15550100190@s.whatsapp.net"
PATIENCE_SECONDS = 20.0


async def until(condition: Callable[[], bool]) -> None:
    async def met() -> bool:
        return condition()

    await until_async(met)


async def until_async(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110  # a condition in other processes has no event
            await asyncio.sleep(0.02)


class BackendContract:
    """Subclass it, with ``backend_factory``."""

    @pytest.fixture
    async def backend(self, backend_factory: BackendFactory) -> Backend:
        backend = await backend_factory([(OPENS, "opens"), (UNPAIRED, "unpaired"), (LOCKED, "locked")])
        await until(lambda: backend.ready()[0])
        await until(lambda: backend.live("opens-1").state == "open")
        await until(lambda: backend.live("unpaired-1").state == "pairing")
        await until(lambda: backend.live("locked-1").state == "blocked")
        return backend

    async def test_sessions_stand_in_order_with_their_source(self, backend: Backend) -> None:
        assert list(backend.records()) == ["opens-1", "unpaired-1", "locked-1"]
        assert backend.records()["opens-1"] == OPENS

    async def test_an_open_session_is_connected_and_scored(self, backend: Backend) -> None:
        await until(lambda: backend.live("opens-1").score is not None)
        live = backend.live("opens-1")
        assert live.status == "connected"
        assert live.reconnect_attempts == 0
        assert live.generation > 0
        assert live.last_seen is not None
        assert live.quality in get_args(models.Quality)
        assert live.me is None or "•••" in live.me

    async def test_a_refused_login_has_cause_code_and_remedy(self, backend: Backend) -> None:
        live = backend.live("locked-1")
        assert live.status == "blocked"
        assert live.code == 403
        assert live.cause
        assert live.remedy

    async def test_every_session_can_be_shown(self, backend: Backend) -> None:
        for session, record in backend.records().items():
            shown = render.status(record, backend.live(session))
            assert models_status.SessionStatus.model_validate_json(_timeless(shown)).session_id == session

    async def test_the_tree_has_its_documented_shape(self, backend: Backend) -> None:
        tree = models_supervision.Tree.model_validate(await backend.tree())
        sessions: set[str] = set()

        def walk(node: models_supervision.Node) -> None:
            if node.kind == "session":
                sessions.add(node.id)
            for child in node.children:
                walk(child)

        walk(tree)
        assert len(sessions) == len(backend.records())

    @pytest.mark.parametrize(
        "act",
        [
            pytest.param(lambda b: b.change("nobody", "test", labels={}), id="change"),
            pytest.param(lambda b: b.remove("nobody", "test", purge=False), id="remove"),
            pytest.param(lambda b: b.reconnect("nobody", "test"), id="reconnect"),
            pytest.param(lambda b: b.start("nobody", "test"), id="start"),
            pytest.param(lambda b: b.stop("nobody", "test"), id="stop"),
            pytest.param(lambda b: b.logout("nobody", "test"), id="logout"),
            pytest.param(lambda b: b.pairing("nobody", "test", 0.0), id="pairing"),
            pytest.param(lambda b: b.pairing_code("nobody", "test", "15550100189"), id="pairing_code"),
            pytest.param(lambda b: b.send("nobody", "test", None, TO, "hello", 0.0), id="send"),
            pytest.param(lambda b: b.find_send("nobody", "x"), id="find_send"),
        ],
    )
    async def test_unknown_sessions_are_refused(
        self, backend: Backend, act: Callable[[Backend], Awaitable[Any]]
    ) -> None:
        assert await _reason(act(backend)) == "unknown_session"

    async def test_the_file_owns_what_it_names(self, backend: Backend) -> None:
        for act in (
            backend.change("opens-1", "test", labels={"team": "c"}),
            backend.change("opens-1", "test", enabled=False),
            backend.remove("opens-1", "test", purge=True),
        ):
            with pytest.raises(BackendError) as caught:
                await act
            assert caught.value.reason == "file_owned"
            assert "wavigil.yaml:3" in caught.value.message
        assert backend.records()["opens-1"] == OPENS

    async def test_sessions_are_added_changed_and_removed(self, backend: Backend) -> None:
        await backend.add(MADE, "test")
        assert backend.records()["made-1"] == MADE
        assert isinstance(backend.live("made-1"), SessionLive)
        assert await _reason(backend.add(MADE, "test")) == "conflict"
        changed = await backend.change("made-1", "test", labels={"tier": "gold"})
        assert changed.labels == {"tier": "gold"}
        assert backend.records()["made-1"] == changed
        disabled = await backend.change("made-1", "test", enabled=False)
        assert not disabled.enabled
        await until(lambda: backend.live("made-1").state == "stopped")
        await backend.remove("made-1", "test", purge=True)
        assert "made-1" not in backend.records()

    async def test_an_unknown_connector_is_refused(self, backend: Backend) -> None:
        record = SessionRecord("made-2", "carrier-pigeon", origin="api")
        assert await _reason(backend.add(record, "test")) == "invalid"
        assert "made-2" not in backend.records()

    async def test_a_proxy_that_the_configuration_does_not_name_is_refused(self, backend: Backend) -> None:
        record = SessionRecord("made-2", "simulator", origin="api", proxy="nowhere-1")
        assert await _reason(backend.add(record, "test")) == "invalid"
        assert "made-2" not in backend.records()
        await backend.add(MADE, "test")
        assert await _reason(backend.change("made-1", "test", proxy="nowhere-1")) == "invalid"
        assert (await backend.change("made-1", "test", proxy="")).proxy is None
        await backend.remove("made-1", "test", purge=True)

    async def test_stop_and_start(self, backend: Backend) -> None:
        await backend.stop("opens-1", "test")
        await until(lambda: backend.live("opens-1").state == "stopped")
        assert backend.live("opens-1").status == "stopped"
        assert not backend.records()["opens-1"].enabled
        assert await _reason(backend.send("opens-1", "test", None, TO, "hello", 1.0)) == "refused"
        assert await _reason(backend.reconnect("opens-1", "test")) == "refused"
        await backend.start("opens-1", "test")
        await until(lambda: backend.live("opens-1").state == "open")
        assert backend.records()["opens-1"].enabled

    async def test_a_forced_reconnection_ends_open(self, backend: Backend) -> None:
        before = backend.live("opens-1").since
        assert await backend.reconnect("opens-1", "test")
        await until(lambda: backend.live("opens-1").state == "open" and backend.live("opens-1").since > before)

    async def test_pairing_by_qr(self, backend: Backend) -> None:
        pairing = await backend.pairing("unpaired-1", "test", 10.0)
        assert pairing.qr
        assert pairing.expires_at is not None
        assert await _reason(backend.pairing("opens-1", "test", 1.0)) == "conflict"

    async def test_pairing_by_code(self, backend: Backend) -> None:
        pairing = await backend.pairing_code("unpaired-1", "test", "15550100189")
        assert pairing.code
        assert await _reason(backend.pairing_code("opens-1", "test", "15550100189")) == "conflict"

    async def test_logging_out_makes_it_pairable(self, backend: Backend) -> None:
        await backend.logout("opens-1", "test")
        await until(lambda: backend.live("opens-1").state != "open")
        assert (await backend.pairing("opens-1", "test", 10.0)).qr

    async def test_a_message_is_acknowledged_once(self, backend: Backend) -> None:
        sent, new = await backend.send("opens-1", "test", "order-1", TO, "hello", 10.0)
        assert (new, sent.session, sent.id, sent.to) == (True, "opens-1", "order-1", TO)
        assert sent.state in {"acknowledged", "delivered", "read"}
        assert sent.message_id
        again, new = await backend.send("opens-1", "test", "order-1", TO, "hello", 10.0)
        assert not new
        assert again.message_id == sent.message_id
        assert await _reason(backend.send("opens-1", "test", "order-1", TO, "other", 1.0)) == "conflict"
        assert await _reason(backend.send("opens-1", "test", "order-1", OTHER, "hello", 1.0)) == "conflict"
        found = await backend.find_send("opens-1", "order-1")
        assert found is not None
        assert found.message_id == sent.message_id
        assert await backend.find_send("opens-1", "order-2") is None

    async def test_ids_of_messages_are_per_session_and_made_if_need_be(self, backend: Backend) -> None:
        first, new = await backend.send("opens-1", "test", None, TO, "hello", 10.0)
        second, also_new = await backend.send("opens-1", "test", None, TO, "hello", 10.0)
        assert new
        assert also_new
        assert first.id != second.id
        assert await backend.find_send("unpaired-1", first.id) is None

    async def test_without_waiting_a_message_is_stored_at_once(self, backend: Backend) -> None:
        sent, _ = await backend.send("opens-1", "test", "order-3", TO, "hello", 0.0)
        assert sent.created_at <= sent.updated_at
        await until_async(lambda: _acknowledged(backend, "order-3"))

    async def test_pauses_of_recovery_overlap_and_touch_no_connection(self, backend: Backend) -> None:
        recovery, before = backend.recovery, backend.live("opens-1")
        one = await recovery.pause("test", "opens-1", {}, time.time() + 3600.0, "maintenance")
        team = await recovery.pause("test", None, {"team": "a"}, None, "")
        assert one.id != team.id
        assert [pause.id for pause in recovery.pauses()] == [one.id, team.id]
        assert list(recovery.pauses_of("opens-1")) == [one, team]
        assert list(recovery.pauses_of("locked-1")) == []
        assert recovery.paused() == sum(bool(recovery.pauses_of(id)) for id in backend.records()) > 0
        shown = render.status(backend.records()["opens-1"], backend.live("opens-1"), recovery.pauses_of("opens-1"))
        paused = shown.status_metadata.recovery_paused
        assert paused is not None
        assert (paused.until, paused.reason, paused.pauses, paused.waits) == (
            None,
            "maintenance",
            [one.id, team.id],
            False,
        )
        assert (backend.live("opens-1").state, backend.live("opens-1").since) == ("open", before.since)
        await backend.reconnect("opens-1", "test")  # what an operator orders is done
        await until(lambda: backend.live("opens-1").state == "open" and backend.live("opens-1").since > before.since)
        for pause in (one, team):
            await recovery.resume(pause.id, "test")
            assert await _reason(recovery.resume(pause.id, "test")) == "unknown_pause"
        assert list(recovery.pauses()) == []
        assert recovery.paused() == 0

    async def test_pauses_that_can_not_be_are_refused(self, backend: Backend) -> None:
        assert await _reason(backend.recovery.pause("test", "nobody", {}, None, "")) == "unknown_session"
        assert await _reason(backend.recovery.pause("test", "opens-1", {}, time.time() - 1.0, "")) == "invalid"
        await backend.add(MADE, "test")
        await backend.recovery.pause("test", "made-1", {}, None, "")
        await backend.remove("made-1", "test", purge=False)
        assert list(backend.recovery.pauses()) == []

    async def test_the_past_is_whole_or_says_where_it_is_not(self, backend: Backend) -> None:
        now = time.time()
        found = await backend.history.read("opens-1", now - 3 * 3600.0, now, 3600)
        assert (found.range.step, found.range.until - found.range.since) in {(3600, 3 * 3600), (3600, 4 * 3600)}
        known = {point.at for point in found.points}
        missing = {at for since, until in found.gaps for at in range(round(since), round(until), 3600)}
        assert not known & missing
        assert {at for at in known if at + 3600 <= found.complete_until} | missing >= {
            at
            for at in range(found.range.since, found.range.until, 3600)
            if at + 3600 <= min(found.complete_until, found.range.until)
        }
        assert (await backend.history.read("opens-1", now - 86_400.0, now, None)).range.step == 300
        assert (await backend.history.read("opens-1", now - 600.0, now, None)).range.step == 0
        assert await _reason(backend.history.read("nobody-1", now - 60.0, now, None)) == "unknown_session"
        for since, until, step in ((now, now, 60), (now + 9, now + 99, 60), (now - 99, now, 90), (0.0, now, 60)):
            assert await _reason(backend.history.read("opens-1", since, until, step)) == "invalid"

    async def test_what_recovery_would_do_is_explained(self, backend: Backend) -> None:
        recovery = backend.recovery
        for session, state in (("opens-1", "open"), ("locked-1", "blocked")):
            found = render_recovery.explanation(await recovery.explain(session, None))
            assert (found.session_id, found.state, found.action) == (session, state, None)
            assert (found.paused, found.paused_until) == (False, None)
            assert found.because
        assert await _reason(recovery.explain("nobody-1", None)) == "unknown_session"
        assert await _reason(recovery.explain("opens-1", time.time() + 600.0)) == "invalid"
        pause = await recovery.pause("test", "opens-1", {}, None, "")
        assert render_recovery.explanation(await recovery.explain("opens-1", None)).paused
        await recovery.resume(pause.id, "test")
        before = render_recovery.explanation(await recovery.explain("opens-1", pause.at - 0.001))
        assert (before.session_id, before.paused) == ("opens-1", False)

    async def test_a_strategy_can_be_forced(self, backend: Backend) -> None:
        recovery = backend.recovery
        assert await recovery.force("opens-1", "test", "restart")
        await until(lambda: backend.live("opens-1").state == "open")
        assert await _reason(recovery.force("nobody-1", "test", "reconnect")) == "unknown_session"
        assert await _reason(recovery.force("locked-1", "test", "restart")) == "refused"
        assert await _reason(recovery.force("unpaired-1", "test", "failover")) == "refused"
        pause = await recovery.pause("test", "opens-1", {}, None, "")
        assert await _reason(recovery.force("opens-1", "test", "reconnect")) == "refused"
        await recovery.resume(pause.id, "test")
        assert await recovery.force("opens-1", "test", "restart"), "what resume promised holds at once"
        await until(lambda: backend.live("opens-1").state == "open")

    async def test_trouble_is_in_the_ledger(self, backend: Backend) -> None:
        recovery, wanted = backend.recovery, EpisodeFilter(session="locked-1", open=False)

        async def ended() -> bool:
            return len(await recovery.episodes(wanted, 10, None)) > 0

        await until_async(ended)
        (episode, *_) = await recovery.episodes(wanted, 10, None)
        assert (episode.session, episode.outcome) == ("locked-1", "halted")
        assert episode.cause == backend.live("locked-1").cause
        assert episode.ended_at is not None
        assert (await recovery.episode(episode.id))[0] == episode
        assert episode.id not in {e.id for e in await recovery.episodes(wanted, 10, (episode.started_at, episode.id))}
        assert await recovery.episodes(EpisodeFilter(session="opens-1", outcome="removed"), 10, None) == []
        sums = await recovery.summary(episode.started_at - 60.0)
        assert sum(part.episodes for part in sums.ended if part.cause == episode.cause) >= 1
        assert await _reason(recovery.episode(10**9)) == "unknown_episode"
        detail = models_recovery.RecoveryEpisode.model_validate_json(
            json.dumps(render_recovery.episode(episode).model_dump(by_alias=True))
        )
        assert detail.session_id == "locked-1"

    async def test_only_baileys_has_folders_of_auth_states(self, backend: Backend) -> None:
        state = entries(paired())
        assert await _reason(backend.auth.export("opens-1")) == "conflict"
        assert await _reason(backend.auth.replace("opens-1", state)) == "conflict"
        assert await _reason(backend.auth.export("nobody-1")) == "unknown_session"
        with pytest.raises(BackendError, match=r"^creds\.json is empty") as broken:
            await backend.auth.replace("opens-1", {**state, "creds": b""})
        assert broken.value.reason == "invalid"

    async def test_blocked_sessions_send_nothing(self, backend: Backend) -> None:
        assert await _reason(backend.send("locked-1", "test", "order-4", TO, "hello", 1.0)) == "refused"
        assert await backend.find_send("locked-1", "order-4") is None

    async def test_sessions_without_a_device_send_nothing(self, backend: Backend) -> None:
        assert await _reason(backend.send("unpaired-1", "test", "order-5", TO, "hello", 1.0)) == "refused"
        assert await backend.find_send("unpaired-1", "order-5") is None


async def _acknowledged(backend: Backend, id: str) -> bool:
    found: Send | None = await backend.find_send("opens-1", id)
    return found is not None and found.state in {"acknowledged", "delivered", "read"}


async def _reason(act: Awaitable[Any]) -> str:
    with pytest.raises(BackendError) as caught:
        await act
    return caught.value.reason


def _timeless(status: models_status.SessionStatus) -> str:
    """The model in Python's form: moments are numbers there."""
    return json.dumps(status.model_dump(by_alias=True))
