"""The life of a spare connector process, with real processes: start, loss, hand-over, end."""

import asyncio
import contextlib
import errno
import os
import shlex
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.connectors.host import launch, sparing
from actors.connectors.host.process import ConnectorProcess
from actors.connectors.host.roster import Roster
from actors.connectors.host.succession import Succession
from actors.runtime import priority
from actors.settings import Settings
from tests.fixtures_daemon import until
from tests.integration.hosts import NAME, PLACE, PROGRAM, Host

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


class SpareHost(Host):
    """With what comes after its present process."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.crowd = 0
        self.script: Callable[[str], str] | None = None
        """Of a shell that starts its connector."""
        super().__init__(folder, **options)
        self.succession = Succession(
            self.connectors,
            None,  # type: ignore[arg-type]
            Roster({}),
            self.settings(),
            NAME,
            PLACE,
            lambda _address, _message: None,
            crowd=lambda: self.crowd,
        )
        self.spare = self.succession.spare

    def settings(self, after: float | None = 0.1, *words: str) -> Settings:
        command = self.command(*words)
        if self.script is not None:
            command = ["/bin/sh", "-c", self.script(shlex.join(command))]
        return self.settings_with(command=command, spare_after=after)

    async def start(self) -> None:
        """What comes after the present process is looked after, too."""
        await super().start()
        self.spawn(self.succession.run())

    @property
    def pid(self) -> int:
        """Of the spare; 0 while there is none."""
        owned = self.spare.owned()
        return owned.pid if owned is not None else 0

    def running(self, name: str) -> int:
        """How many tasks of that name there are."""
        return sum(task.get_name() == name for task in self.tasks)

    async def kept(self, but: int = 0) -> int:
        """Waits for a spare, another one than ``but``; its pid."""
        await until("there is a spare", lambda: self.pid not in {0, but})
        return self.pid

    async def kill_present(self) -> int:
        """The present process dies; its pid."""
        assert self.connectors.current is not None
        process = self.connectors.current.process
        self.lost.clear()
        process.kill()
        await until("its end is known", lambda: self.lost)
        await process.ended()
        return process.popen.pid

    async def close(self) -> None:
        await super().close()
        await self.spare.stop()


@pytest.fixture
async def make(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., SpareHost]]:
    monkeypatch.setattr(sparing, "PAUSE", 0.05)
    made: list[SpareHost] = []

    def host(**options: Any) -> SpareHost:
        made.append(SpareHost(short_tmp, **options))
        return made[-1]

    yield host
    for each in made:
        await each.close()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)


def runs(pid: int) -> bool:
    """One that has ended may be there until init has buried it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def test_it_waits_with_nothing_in_its_hands(make: Callable[..., SpareHost]) -> None:
    host = make()
    await host.start()
    process = psutil.Process(await host.kept())
    await until("it is the program itself", lambda: str(host.program) in process.cmdline())
    await until("it waits", lambda: process.status() == psutil.STATUS_SLEEPING)
    assert set(process.environ()) <= {"PATH", "HOME", "LANG", "TZ", "LC_CTYPE"}
    assert process.net_connections("all") == []
    assert process.ppid() == os.getpid()
    if priority.may_raise():
        assert process.nice() == max(priority.LOWERED, os.getpriority(os.PRIO_PROCESS, 0))


async def test_none_is_started_while_sessions_connect(make: Callable[..., SpareHost]) -> None:
    host = make()
    host.crowd = 3
    await host.start()
    looks = 0

    def counted() -> int:
        nonlocal looks
        looks += 1
        return 3

    host.succession._crowd = counted
    await until("it was asked some times", lambda: looks > 10)
    assert not host.spare.there
    host.succession._crowd = lambda: 0
    await host.kept()


async def test_one_that_dies_is_replaced(make: Callable[..., SpareHost], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "actors.connectors.host.spare")
    host = make()
    await host.start()
    pid = 0
    for _ in range(3):
        pid = await host.kept(but=pid)
        os.kill(pid, signal.SIGKILL)
    await host.kept(but=pid)
    assert host.lost == [], "the present process has nothing to do with it"
    assert [record.levelname for record in caplog.records if "is lost" in record.message] == ["INFO"]


async def test_one_that_was_stopped_is_replaced_and_not_used(make: Callable[..., SpareHost]) -> None:
    host = make()
    await host.start()
    pid = await host.kept()
    os.kill(pid, signal.SIGSTOP)
    await until("it is stopped", lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    assert host.spare.take() is None
    await until("it has ended", lambda: gone(pid))
    os.kill(pid := await host.kept(but=pid), signal.SIGSTOP)
    await until("it is stopped", lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    host.spare.use(host.settings())  # a look
    await until("it has ended", lambda: gone(pid))
    await host.kept(but=pid)


async def test_one_of_another_program_is_thrown_away(make: Callable[..., SpareHost]) -> None:
    host = make()
    await host.start()
    first = await host.kept()
    host.spare.use(host.settings(0.1, "--another"))
    second = await host.kept(but=first)
    await until("the first one has ended", lambda: gone(first))
    await until("it is the other program", lambda: "--another" in psutil.Process(second).cmdline())
    host.program.write_text(PROGRAM + "\n# a new version\n")
    assert host.spare.take() is None, "it has loaded the old version"
    third = await host.kept(but=second)
    host.spare.use(host.settings(None))
    await until("there is to be none", lambda: gone(third))
    assert not host.spare.there


async def test_the_end_waits_for_all_that_were_thrown_away(
    make: Callable[..., SpareHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = make()
    await host.start()
    pid, kill = await host.kept(), ConnectorProcess.kill
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(ConnectorProcess, "kill", lambda process: loop.call_later(0.1, kill, process))
    host.program.write_text(PROGRAM + "\n# a new version\n")
    assert host.spare.take() is None
    await host.spare.stop()
    assert gone(pid)


def with_a_helper(command: str) -> str:
    """A script of a shell that starts a helper and, by another shell, the connector."""
    helper = "while kill -0 $PPID; do sleep 0.1; done"
    return f"sh -c {shlex.quote(helper)} & sh -c {shlex.quote(f'{command}; exit')}; exit"


def family(make: Callable[..., SpareHost]) -> SpareHost:
    """A host whose connectors are started so."""
    host = make()
    host.script = with_a_helper
    host.succession.use(host.settings())
    host.connectors._settings = host.settings()
    return host


async def started_by(pid: int) -> list[int]:
    """What that spare has started, and that has again: stopped, so that none of it ends by itself."""
    spare = psutil.Process(pid)

    def started() -> list[int]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return [child.pid for child in spare.children(recursive=True) if child.name() != "sleep"]
        return []

    await until("helper, shell and program run", lambda: len(started()) == 3)
    found = started()
    for child in found:
        os.kill(child, signal.SIGSTOP)
    return found


async def test_the_end_is_in_order_if_it_has_just_died_and_nobody_has_noticed(make: Callable[..., SpareHost]) -> None:
    host = make()
    await host.start()
    pid = await host.kept()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - that the loop has no turn is the point
    await host.spare.stop()
    await until("it is gone", lambda: gone(pid))


async def test_what_it_has_started_is_thrown_away_with_it(make: Callable[..., SpareHost]) -> None:
    host = family(make)
    await host.start()
    first = await host.kept()
    started = await started_by(first)
    host.spare.use(host.settings(0.1, "--another"))
    second = await host.kept(but=first)
    await until("all of the first one have ended", lambda: all(map(gone, [first, *started])))
    started = await started_by(second)
    os.kill(second, signal.SIGSTOP)
    await until("it is stopped", lambda: psutil.Process(second).status() == psutil.STATUS_STOPPED)
    host.spare.use(host.settings(0.1, "--another"))
    third = await host.kept(but=second)
    await until("all of the stopped one have ended", lambda: all(map(gone, [second, *started])))
    started = await started_by(third)
    await host.spare.stop()
    assert [pid for pid in (third, *started) if runs(pid)] == []


async def test_what_it_has_started_ends_with_one_that_fails_at_the_hand_over(
    make: Callable[..., SpareHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "SPARE_PATIENCE", 0.3)
    host = family(make)
    await host.start()
    pid = await host.kept()
    started = await started_by(pid)
    present = host.connectors.current
    assert present is not None
    present.kill()
    await until("it has ended", lambda: present.gone)
    assert await host.succession.succeed("it died")
    await until("all of it have ended", lambda: all(map(gone, [pid, *started])))


async def test_it_takes_the_place_of_one_that_died(make: Callable[..., SpareHost]) -> None:
    host = make(deed="pairs")
    await host.start()
    await until("a pairing is under way", lambda: host.phases == ["pairing"])
    pid = await host.kept()
    assert not host.succession.possible, "the present one lives"
    before = await host.kill_present()
    assert await host.succession.succeed("it died")
    now = host.connectors.current
    assert now is not None
    assert now.process.popen.pid == pid != before
    assert (host.connectors.retiring, host.succession.report()["succeeded"]) == (None, 1)
    assert {os.getpriority(os.PRIO_PROCESS, task.id) for task in psutil.Process(pid).threads()} == {
        os.getpriority(os.PRIO_PROCESS, 0)
    }
    await until(
        "who was in the old one is nowhere, then in the new one", lambda: host.phases[1:] == ["idle", "pairing"]
    )
    await host.kept(but=pid)


async def test_it_waits_for_the_end_of_the_child_that_listens(make: Callable[..., SpareHost]) -> None:
    host = make()
    host.script = "{}; exit".format
    host.succession.use(host.settings())
    host.connectors._settings = host.settings()
    await host.start()
    await host.kept()
    before = host.connectors.current
    assert before is not None
    assert before.link.peer != before.process.popen.pid
    os.kill(before.link.peer, signal.SIGSTOP)
    before.process.kill()
    await before.process.ended()
    assert not before.link.closed.is_set()
    assert not host.succession.possible, "it still has the connections"
    assert not await host.succession.succeed("it died")
    before.kill()
    await until("it has ended as well", lambda: before.gone)
    assert await host.succession.succeed("it died")


async def test_without_a_spare_nobody_takes_over(make: Callable[..., SpareHost]) -> None:
    host = make()
    host.succession.use(host.settings(None))
    await host.start()
    await host.kill_present()
    assert not await host.succession.succeed("it died")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_spare_that_fails_at_the_hand_over_costs_no_more_than_its_time(
    make: Callable[..., SpareHost], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(launch, "SPARE_PATIENCE", 0.3)
    host = make()
    await host.start()
    pid = await host.kept()
    await host.kill_present()
    begin = ConnectorProcess.begin

    async def struck(process: ConnectorProcess, *rest: Any) -> None:
        if process.popen.pid == pid:
            os.kill(pid, number)
        await begin(process, *rest)

    monkeypatch.setattr(ConnectorProcess, "begin", struck)
    assert await host.succession.succeed("it died")
    now = host.connectors.current
    assert now is not None
    assert now.process.popen.pid != pid
    assert now.process.popen.poll() is None
    assert gone(pid)


async def test_no_spare_takes_over_from_a_process_that_dies_again_and_again(make: Callable[..., SpareHost]) -> None:
    host = make()
    host.intensity = (2, 3600)
    host.succession.use(host.settings())
    await host.start()
    pid = 0
    for allowed in (True, True, False):
        pid = await host.kept(but=pid)
        await host.kill_present()
        assert host.succession.possible == allowed
        assert await host.succession.succeed("it died") == allowed
    assert host.succession.report()["succeeded"] == 2
    await until("what confirmed to the dead has ended", lambda: host.running("confirmations") == 0)


async def test_what_confirms_to_a_process_ends_with_it(make: Callable[..., SpareHost]) -> None:
    host = make()
    await host.start()
    await host.kept()
    await host.kill_present()
    assert await host.succession.succeed("it died")
    await until("one confirms to the present process", lambda: host.running("confirmations") == 1)


async def test_one_that_cannot_be_watched_is_a_lost_spare_and_no_more(
    make: Callable[..., SpareHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = make()
    await host.start()
    forked: list[ConnectorProcess] = []
    pidfd_open, fork = os.pidfd_open, ConnectorProcess.fork

    def noted(*rest: Any, **words: Any) -> ConnectorProcess:
        forked.append(fork(*rest, **words))
        return forked[-1]

    def full(pid: int) -> int:
        if len(forked) == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return pidfd_open(pid)

    monkeypatch.setattr(ConnectorProcess, "fork", noted)
    monkeypatch.setattr(os, "pidfd_open", full)
    await until("the next one is kept", lambda: len(forked) == 2 and host.pid != 0)
    assert gone(forked[0].popen.pid)


async def test_a_recycled_process_is_followed_by_the_spare(make: Callable[..., SpareHost]) -> None:
    host = make()
    await host.start()
    pid = await host.kept()
    assert host.succession.recycling.ask("s") is None
    await until("the spare is the present one", lambda: host.connectors.current.process.popen.pid == pid)  # type: ignore[union-attr]
    await until("the old one has ended", lambda: host.connectors.retiring is None)
    await host.kept(but=pid)


async def test_nothing_is_left_at_the_end(make: Callable[..., SpareHost]) -> None:
    host = make()
    await host.start()
    pid = await host.kept()
    await host.close()
    await until("it has ended", lambda: gone(pid))
