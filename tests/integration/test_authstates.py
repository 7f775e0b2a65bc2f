"""Export and import of auth states against a real vault: sizes, other owners, and what the session's actor is told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.connectors.vaultlink import SessionVault, VaultLink
from actors.session.causes import Cause
from actors.session.effects import OpenConnection, ResetAuth
from actors.session.inputs import host, operators
from actors.session.machine import step
from actors.session.state import Saved, SessionState, Trouble, Verdict
from actors.session.vocabulary import State
from actors.vault.client import reserve
from actors.vault.keyring import MasterKeys
from actors.vault.requests import MAX_VALUE
from actors.vault.server import VaultServer
from daemon import authstates
from daemon.authstates import FRAME_BYTES, LiveAuthStates
from daemon.backend import BackendError, SessionLive, SessionRecord
from tests.integration.vaults import MASTER_KEY, owner, running, until
from tests.unit.connectors.baileys_states import State as AuthState
from tests.unit.connectors.baileys_states import app_state, entries, life, paired

pytestmark = pytest.mark.integration


class Stage:
    """A vault, and a stopped session whose actor notes what it is told."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "vault.sock"
        self.told: list[str] = []
        self.record = SessionRecord("moved", "baileys", enabled=False)
        self.live = SessionLive(state="stopped")
        self.auth = LiveAuthStates(str(self.socket), lambda _: self.record, lambda _: self.live, self._tell)

    async def _tell(self, _session: str, command: str, _patience: float, _once: float) -> Any:
        self.told.append(command)

    async def stored(self) -> dict[str, bytes]:
        async with owner(self.socket, "moved") as peer:
            return await peer.load()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with running(tmp_path):
        yield Stage(tmp_path)


def large(size: int) -> AuthState:
    """More than one commit can hold."""
    state = paired()
    return state | {f"session/1555{number}.0": {"_sessions": {}, "filler": "x" * 200_000} for number in range(size)}


async def test_an_auth_state_of_many_commits(stage: Stage) -> None:
    state = entries(large(45))
    assert sum(map(len, state.values())) > 2 * FRAME_BYTES
    assert await stage.auth.replace("moved", state) == len(state)
    assert await stage.auth.export("moved") == state
    assert stage.told == ["auth_replaced", "auth_read"]

    # in place of another one only at once
    grown = {key: value.replace(b"xx", b"xy") if key.startswith("session/") else value for key, value in state.items()}
    with pytest.raises(BackendError) as refused:
        await stage.auth.replace("moved", grown)
    assert refused.value.reason == "limit"
    assert await stage.stored() == state


async def test_a_large_collection_of_the_app_state(stage: Stage) -> None:
    """As Baileys wrote it on both sides, compressed in between."""
    state = entries(paired() | {"app-state-sync-version/regular": app_state(25_000)})
    assert len(state["app-state-sync-version/regular"]) > 3_000_000
    assert await stage.auth.replace("moved", state) == len(state)
    assert await stage.auth.export("moved") == state
    assert max(map(len, (await stage.stored()).values())) <= MAX_VALUE
    grown = state | entries({"app-state-sync-version/regular": app_state(40_000)})
    assert await stage.auth.replace("moved", grown) == 1, "at once, also in place of another one"
    with pytest.raises(BackendError, match="older than what"):
        await stage.auth.replace("moved", state)
    with pytest.raises(BackendError, match="larger than the vault takes") as refused:
        await stage.auth.replace("moved", state | entries({"app-state-sync-version/regular": app_state(60_000)}))
    assert refused.value.reason == "invalid"
    assert await stage.auth.export("moved") == grown


async def test_what_is_gone_counts(stage: Stage) -> None:
    """So many keys of what was there before that deleting them is more than a frame holds."""
    gone = {f"lid-mapping/{number:0>480}": b"1" for number in range(10_000)}
    async with owner(stage.socket, "moved") as peer:
        for kept in (sorted(gone)[:5000], sorted(gone)[5000:]):
            await peer.ask("commit", set={key: gone[key] for key in kept})
    state = entries(paired())
    assert await stage.auth.replace("moved", state) == len(state) + len(gone)
    assert await stage.stored() == state

    async with owner(stage.socket, "moved") as peer:
        for kept in (sorted(gone)[:5000], sorted(gone)[5000:]):
            await peer.ask("commit", set={key: gone[key] for key in kept})
    with pytest.raises(BackendError, match="too much for one commit") as refused:
        await stage.auth.replace("moved", state)
    assert refused.value.reason == "limit"
    assert await stage.stored() == state | gone


async def test_nothing_counts_before_the_credentials(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon is lost after the first of several commits: the session is as little paired as before."""
    commit, made = SessionVault.commit, 0

    async def lost(self: SessionVault, *args: Any, **options: Any) -> None:
        nonlocal made
        if made:
            raise asyncio.CancelledError
        made += 1
        await commit(self, *args, **options)

    monkeypatch.setattr(SessionVault, "commit", lost)
    with pytest.raises(asyncio.CancelledError):
        await stage.auth.replace("moved", entries(large(45)))
    monkeypatch.undo()
    assert "creds" not in await stage.stored()
    async with owner(stage.socket, "moved") as peer:
        assert await peer.ask("claim") == {"paired": False}
    assert await stage.auth.replace("moved", entries(paired())) > 0
    assert await stage.stored() == entries(paired())


async def test_the_session_hears_of_it_from_the_vault_when_main_dies_before_it_tells(stage: Stage) -> None:
    """WhatsApp threw out the device that was there; the first start would delete what is in its place."""
    thrown_out = Verdict(State.HALTED, Trouble(Cause.LOGGED_OUT, 401))
    saved = Saved(State.STOPPED, 1.0, thrown_out.trouble, thrown_out, stale_auth=True)
    stage.auth = LiveAuthStates(str(stage.socket), lambda _: stage.record, lambda _: stage.live, _died)
    with pytest.raises(asyncio.CancelledError):
        await stage.auth.replace("moved", entries(paired()))

    reserved = await reserve(str(stage.socket), "moved", 5.0)
    session, _ = step(SessionState(), host.Resumed(saved, enabled=False), 2.0)
    session, _ = step(session, host.LinkUp(False, "idle", paired=True, replaced=reserved.replaced), 3.0)
    _, done = step(session, operators.Start("start"), 4.0)
    assert OpenConnection() in done
    assert ResetAuth() not in done


async def _died(*_: Any) -> None:
    raise asyncio.CancelledError


async def test_who_takes_the_session_meanwhile_has_it(stage: Stage) -> None:
    """Whatever it comes between, the state is one of those that were there as a whole."""
    old, new = map(entries, life([(0, 1)]))
    await stage.auth.replace("moved", old)
    link = VaultLink(str(stage.socket))
    outcomes = set()
    try:
        for pause in range(12):
            importing = asyncio.create_task(stage.auth.replace("moved", new))
            for _ in range(pause):
                await asyncio.sleep(0.0005)
            other = SessionVault(link, "moved")
            await other.claim(await link.reserve("moved"))
            try:
                await importing
                outcomes.add("done")
            except BackendError as error:
                outcomes.add(f"{error.reason}: {error.message}")
            assert await stage.stored() in (old, new)
    finally:
        await link.close()
    refusal = "conflict: session 'moved' was started meanwhile; stop it and try again"
    assert refusal in outcomes
    assert outcomes <= {"done", refusal}


@pytest.mark.parametrize(
    ("record", "state", "said"),
    [
        (SessionRecord("moved", "baileys", enabled=True), "open", "only be taken while it is stopped"),
        (SessionRecord("moved", "simulator", enabled=False), "stopped", "not on Baileys"),
    ],
)
async def test_not_under_a_session_that_runs(stage: Stage, record: SessionRecord, state: str, said: str) -> None:
    async with owner(stage.socket, "moved") as peer:
        await peer.ask("commit", set={"k": b"v"})
        stage.record, stage.live = record, SessionLive(state=state)
        for attempt in (stage.auth.export("moved"), stage.auth.replace("moved", entries(paired()))):
            with pytest.raises(BackendError, match=said) as refused:
                await attempt
            assert refused.value.reason == "conflict"
        assert await peer.load() == {"k": b"v"}, "it has not even been claimed"


async def test_another_pairing_is_not_replaced(stage: Stage) -> None:
    await stage.auth.replace("moved", entries(paired(1)))
    with pytest.raises(BackendError, match="paired as another device"):
        await stage.auth.replace("moved", entries(paired(9)))
    assert await stage.stored() == entries(paired(1))
    assert stage.told == ["auth_replaced", "auth_read"], "it needs a generation of its own again"


async def test_what_is_there_and_can_not_be_read_is_not_replaced(stage: Stage) -> None:
    async with owner(stage.socket, "moved") as peer:
        await peer.ask("commit", set={"creds": b"{"}, paired=True)
    with pytest.raises(BackendError, match="can't be read") as refused:
        await stage.auth.replace("moved", entries(paired()))
    assert refused.value.reason == "conflict"
    assert await stage.stored() == {"creds": b"{"}


async def test_a_vault_that_waits_for_its_key_does_not_call_a_rotation_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = MasterKeys(bytes(reversed(MASTER_KEY)))
    async with running(tmp_path, other.master):
        pass
    server = VaultServer(tmp_path / "vault.db", tmp_path / "vault.sock", MasterKeys(MASTER_KEY), patient=True)
    await server.start()
    try:
        auth = Stage(tmp_path).auth
        with monkeypatch.context() as patched:
            patched.setattr(authstates, "RETRY_SECONDS", 0.1)
            with pytest.raises(BackendError, match="waits for its master key"):
                await auth.vault()
        asked = asyncio.create_task(auth.vault())
        await until(lambda: server.stats()["links"] > 0)
        await server.adopt(other)
        assert await asked == {"sealed": True, "rotation": None}
    finally:
        await server.stop()
