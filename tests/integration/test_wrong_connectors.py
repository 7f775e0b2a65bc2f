"""Connectors that break the protocol on purpose: each is found out, and costs its host a bounded memory."""

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from actors.connectors.host import uplink
from actors.connectors.host.connectors import Connectors
from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.host.launch import Place
from actors.connectors.protocol import State
from actors.runtime.rpc import LinkClosed
from actors.session import link as session_link
from actors.session.duties import Duties
from actors.session.link import LinkTo, SessionLink
from actors.settings import Settings, settings_from
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from actors.vault.keyring import MasterKeys
from actors.vault.server import VaultServer
from config.schema import Config
from tests.contract import wrong
from tests.fixtures_daemon import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 20.0
ROOM = 64 * 2**20
"""Bytes of memory that a wrong connector may cost: what is decoded of one frame, and a window of messages."""


class Host:
    """What a host has for its connector, without the actor around it."""

    def __init__(self, folder: Path, deed: str, command: list[str] | None) -> None:
        program = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import runpy; "]
        program[-1] += "runpy.run_module('tests.contract.wrong', run_name='__main__')"
        values = {
            "state_dir": str(folder),
            "connectors": {"external": {"command": program if command is None else command, "options": {"deed": deed}}},
            "supervision": {"heartbeat": 0.5, "heartbeat_timeout": 3.0, "tick": 0.1},
        }
        self.settings: Settings = settings_from(Config.model_validate(values), None)
        self.fault: asyncio.Future[ConnectorFault] = asyncio.get_running_loop().create_future()
        self.events = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.connectors = Connectors(
            self.settings,
            "shard-0",
            Place("external", 1),
            knows=lambda session: session == "s",
            on_event=self._event,
            on_fault=self.found,
            on_lost=self._lost,
            spawn=self.spawn,
        )

    def spawn(self, work: Coroutine[Any, Any, Any], name: str = "") -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _event(self, event: Any, confirmer: Any) -> None:
        """As News does, on a disk that takes nothing."""
        self.events += 1
        if hasattr(event, "n"):
            confirmer.heard(event.n)

    def found(self, fault: ConnectorFault) -> None:
        if not self.fault.done():
            self.fault.set_result(fault)

    why = ""
    """How the process ended."""

    async def _lost(self, why: str) -> None:
        await asyncio.sleep(0)
        self.why = why

    async def until_fault(self) -> ConnectorFault:
        try:
            await self.connectors.present(await self.connectors.start(threads=True))
        except ConnectorFault as fault:
            return fault
        async with asyncio.timeout(PATIENCE):
            return await self.fault

    async def close(self) -> None:
        await self.connectors.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def hosts(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    monkeypatch.setattr("actors.connectors.host.launch.READY_PATIENCE", 10.0)  # for many that start at once
    monkeypatch.setattr(uplink, "HELLO_PATIENCE", 3.0)
    made: list[Host] = []

    def make(deed: str, command: list[str] | None = None, folder: Path = short_tmp) -> Host:
        made.append(Host(folder, deed, command))
        return made[-1]

    yield make
    for host in made:
        await host.close()


async def end(task: asyncio.Task[Any]) -> None:
    """Cancels it until it listens: ``wait_for`` of Python 3.11 loses a cancellation that comes with a result."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.05)


def peak() -> int:
    """Bytes: the most that this process had in memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


DEEDS: dict[str, FaultKind] = {
    "dies": FaultKind.DIED_AT_START,
    "endless": FaultKind.NOT_READY,
    "gibberish": FaultKind.NOT_READY,
    "absent": FaultKind.NOT_READY,
    "half-a-pair": FaultKind.NOT_READY,
    "newer": FaultKind.WRONG_VERSION,
    "newer-hello": FaultKind.WRONG_VERSION,
    "refuses": FaultKind.WRONG_VERSION,
    "other": FaultKind.WRONG_CONNECTOR,
    "early": FaultKind.MALFORMED,
    "hangs-up": FaultKind.MALFORMED,
    "silent": FaultKind.SILENT,
    "hangs": FaultKind.SILENT,
    **dict.fromkeys(wrong.HOST_LINK.keys() - {"pairs"}, FaultKind.MALFORMED),
    "window": FaultKind.FLOOD,
    "flood": FaultKind.FLOOD,
    "unknown-flood": FaultKind.FLOOD,
    "a-million-lists": FaultKind.MALFORMED,
    "many-names": FaultKind.MALFORMED,
}


async def test_wrong_connectors_are_found_out(hosts: Any, short_tmp: Path) -> None:
    before = peak()
    turns = asyncio.Semaphore(4)

    async def find(deed: str) -> tuple[Host, ConnectorFault]:
        folder = short_tmp / deed
        folder.mkdir()
        async with turns:
            host = hosts(deed, folder=folder)
            return host, await host.until_fault()

    found = dict(zip(DEEDS, await asyncio.gather(*map(find, DEEDS)), strict=True))
    assert {deed: fault.kind for deed, (_, fault) in found.items()} == DEEDS
    assert "exit status 3" in found["dies"][1].sentence
    for host, fault in found.values():
        assert len(fault.sentence) > 10, fault
        if host.connectors.current is None:  # it did not get so far: it is ended already
            pid, _ = fault.process or (0, 0)
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
            owned = host.connectors.owned(fault)
            assert owned is not None
            assert owned.why == str(fault)
    assert peak() - before < 2 * ROOM


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["/nowhere/at/all"], "No such file"),
        (["/etc/passwd"], "Permission denied"),
        ([], "connectors.external.command"),
    ],
)
async def test_a_program_that_is_none_is_told(hosts: Any, command: list[str], told: str) -> None:
    host = hosts("good", command)
    fault = await host.until_fault()
    assert told in fault.sentence or fault.kind is FaultKind.DIED_AT_START, fault


async def test_one_that_says_nothing_is_not_waited_for_for_ever(hosts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.connectors.host.launch.READY_PATIENCE", 0.5)
    fault = await hosts("mute").until_fault()
    assert fault.kind is FaultKind.NOT_READY
    assert "no ready line within" in fault.sentence


async def test_names_that_nobody_gave_it_are_not_kept(hosts: Any) -> None:
    host = hosts("many-names")
    assert (await host.until_fault()).kind is FaultKind.MALFORMED  # what comes behind them
    assert host.events == 0
    assert host.connectors._at == host.connectors._phases == {}


async def test_one_that_prints_much_is_read_and_not_believed(hosts: Any, caplog: pytest.LogCaptureFixture) -> None:
    host = hosts("noisy")
    before = peak()
    await host.connectors.present(await host.connectors.start(threads=True))
    link = host.connectors.current.link
    for _ in range(10):
        assert await link.request("ping") == {}
    assert peak() - before < ROOM
    assert not host.fault.done()
    assert sum("more than its ready line" in text for text in caplog.messages) <= 1


async def test_what_it_answers_is_checked_before_it_is_read(hosts: Any) -> None:
    host = hosts("nack-data")
    await host.connectors.present(await host.connectors.start(threads=True))
    link = host.connectors.current.link
    assert await link.request("ping") == {}
    with pytest.raises(LinkClosed):  # as at every end, it is not known what became of the message
        await link.request("send", session="s", messageId="M", to="15550100009", text="hello")
    async with asyncio.timeout(PATIENCE):
        assert (await host.fault).kind is FaultKind.MALFORMED


async def test_last_words_that_nobody_can_parse_hide_no_end(hosts: Any, caplog: pytest.LogCaptureFixture) -> None:
    host = hosts("nested-stderr")
    await host.connectors.present(await host.connectors.start(threads=True))
    process = host.connectors.current.process
    await until("they are said", lambda: any(text.startswith("[[[") for text in caplog.messages))
    process.kill()
    async with asyncio.timeout(PATIENCE):
        await process.ended()
    await until("its end is told", lambda: host.why == f"connector process {process.popen.pid} ended: -9")
    assert sum(text.startswith("[[[") for text in caplog.messages) == 2
    assert not host.fault.done()


@pytest.mark.parametrize("deed", [deed for deed in wrong.ANSWERS if deed.startswith("pairing-")])
async def test_a_wrong_answer_about_a_pairing_is_told_with_the_pid(hosts: Any, short_tmp: Path, deed: str) -> None:
    upgrade(short_tmp / "vault.db", Kind.VAULT)
    vault = VaultServer(short_tmp / "vault.db", short_tmp / "vault.sock", MasterKeys())
    await vault.start()
    host = hosts(deed)
    await host.connectors.present(await host.connectors.start(threads=True))
    told: list[tuple[int, FaultKind]] = []
    up = asyncio.Event()
    link = SessionLink(
        LinkTo("s", host.settings.socket("shard-0.connector.sock"), str(short_tmp / "vault.sock"), None),
        up=lambda *_: up.set(),
        down=lambda: None,
        on_event=lambda _: None,
        on_fault=lambda pid, kind, _: told.append((pid, kind)),
    )
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await up.wait()
            answer, error = await Duties(link, lambda _: None, host.spawn).pairing_code("15550100009")
        assert answer is None
        assert error is not None
        assert error[0] == "unavailable"
        await until("it is told", lambda: told)
        assert told == [(host.connectors.current.process.popen.pid, FaultKind.MALFORMED)]
    finally:
        await end(running)
        await vault.stop()


@pytest.mark.parametrize("deed", [*wrong.SESSION_LINK, "session-bad-hello", "session-wrong-state", "session-early"])
async def test_what_is_wrong_on_a_sessions_link_is_told_with_the_pid(hosts: Any, short_tmp: Path, deed: str) -> None:
    upgrade(short_tmp / "vault.db", Kind.VAULT)
    vault = VaultServer(short_tmp / "vault.db", short_tmp / "vault.sock", MasterKeys())
    await vault.start()
    host = hosts(deed)
    await host.connectors.present(await host.connectors.start(threads=True))
    told: asyncio.Future[tuple[int, FaultKind, str]] = asyncio.get_running_loop().create_future()
    up = asyncio.Event()

    def on_fault(pid: int, kind: FaultKind, sentence: str) -> None:
        if not told.done():
            told.set_result((pid, kind, sentence))

    to = LinkTo("s", host.settings.socket("shard-0.connector.sock"), str(short_tmp / "vault.sock"), None)
    link = SessionLink(to, up=lambda *_: up.set(), down=lambda: None, on_event=lambda _: None, on_fault=on_fault)
    before = peak()
    running = asyncio.create_task(link.run())
    try:
        if deed in wrong.SESSION_LINK:
            async with asyncio.timeout(PATIENCE):
                await up.wait()
            await link.request("open")
        async with asyncio.timeout(PATIENCE):
            pid, kind, sentence = await told
        assert pid == host.connectors.current.process.popen.pid
        assert kind is (FaultKind.FLOOD if deed.endswith("-flood") else FaultKind.MALFORMED), sentence
        assert peak() - before < ROOM
        host.connectors.accuse(pid + 1, ConnectorFault(kind, sentence))  # one that was before
        assert not host.fault.done()
        host.connectors.accuse(pid, ConnectorFault(kind, sentence))
        assert (await host.fault).kind is kind
    finally:
        await end(running)
        await vault.stop()


async def test_one_that_answers_no_hello_of_a_session_is_told_by_that_session(
    hosts: Any, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_link, "HELLO_DEADLINE", 0.05)
    monkeypatch.setattr(session_link, "RETRY", 0.01)
    upgrade(short_tmp / "vault.db", Kind.VAULT)
    vault = VaultServer(short_tmp / "vault.db", short_tmp / "vault.sock", MasterKeys())
    await vault.start()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(swallow, short_tmp / "c.sock")
    told: asyncio.Future[FaultKind] = asyncio.get_running_loop().create_future()

    def on_fault(_pid: int, kind: FaultKind, _sentence: str) -> None:
        if not told.done():
            told.set_result(kind)

    link = SessionLink(
        LinkTo("s", str(short_tmp / "c.sock"), str(short_tmp / "vault.sock"), None),
        up=lambda *_: None,
        down=lambda: None,
        on_event=lambda _: None,
        on_fault=on_fault,
    )
    running = asyncio.create_task(link.run())
    async with asyncio.timeout(PATIENCE):
        assert await told is FaultKind.SILENT
    await end(running)
    server.close()
    await vault.stop()


def test_the_state_that_it_tells_is_one_of_the_protocol() -> None:
    assert State.read(wrong.STATE).paired
