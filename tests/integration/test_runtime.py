"""The runtime with small actors in a real actor system: keeper, launcher, Thespian's processes, supervisors."""

import asyncio
import itertools
import os
import random
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import psutil
import pytest

from actors.runtime.launcher import admin_on
from actors.runtime.thespian_fixes import PortTaken
from actors.runtime.worker import EARLIEST
from tests.fixtures_daemon import until
from tests.integration.runtime_actors import COUNT, HEARTBEAT, HEARTBEAT_TIMEOUT, TROUPE

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

ROOT = Path(__file__).parents[2]


class System:
    """One run of `runtime_system`."""

    def __init__(self, directory: Path, process: asyncio.subprocess.Process) -> None:
        self.directory = directory
        self.process = process

    def notes(self, first: str = "") -> list[list[str]]:
        """The lines so far that begin with that word, split."""
        file = self.directory / "notes"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split() for line in lines if line.startswith(first)]

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return (self.directory / "log").read_text()

    async def until_noted(self, *words: str) -> list[str]:
        """Waits for a line that begins with these words."""

        def found() -> list[str] | None:
            return next((note for note in self.notes() if note[: len(words)] == list(words)), None)

        line = await until(f"the note {words}", found)
        assert isinstance(line, list)
        return line

    def living(self) -> list[psutil.Process]:
        """All its processes: each is a fork of the first and has its command line."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE and str(self.directory) in process.cmdline()
        except psutil.Error:
            return False

    async def stop(self) -> int:
        """SIGTERM; returns the exit status, with nobody left."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            status = await self.process.wait()
        assert not self.living()
        return status


@asynccontextmanager
async def running(directory: Path, *words: str) -> AsyncIterator[System]:
    with (directory / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.runtime_system", str(directory), *words, cwd=ROOT, stderr=log
        )
    system = System(directory, process)
    try:
        yield system
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await until("nobody is left", lambda: not system.living(), 5)


async def test_timers_are_accurate_and_independent(tmp_path: Path) -> None:
    async with running(tmp_path, "stage", "clock") as system:
        await until("all have slept", lambda: len(system.notes("slept")) == 5)
        slept = [(float(delay), float(took)) for _, delay, took in system.notes("slept")]
        assert await system.stop() == 0
    assert sorted(delay for delay, _ in slept) == [0.01, 0.02, 0.1, 0.1, 0.3]
    assert all(took >= delay for delay, took in slept)
    overshoot = sorted(took - delay for delay, took in slept)
    assert overshoot[len(overshoot) // 2] < 0.05


async def test_a_thousand_messages_go_both_ways_in_order(tmp_path: Path) -> None:
    async with running(tmp_path, "stage", "echo", "caller") as system:
        assert await system.until_noted("back", str(COUNT)) == ["back", str(COUNT), "True"]
        assert await system.stop() == 0


async def test_a_message_that_waits_for_a_connection_nobody_uses_gets_one(tmp_path: Path) -> None:
    """Thespian as it is leaves it for 150 s."""
    async with running(tmp_path, "stage", "echo", "stranded") as system:
        assert (await system.until_noted("answered"))[1:] == ["True"]
        assert await system.stop() == 0


async def test_an_actor_that_hangs_does_not_take_along_who_talks_to_it(tmp_path: Path) -> None:
    """Without a window for each receiver, 21 messages to one that hangs stop all that the sender says."""
    async with running(tmp_path, "stage", "deaf", "echo", "talker") as system:
        await system.until_noted("deaf", "now")
        await system.until_noted("talked")
        assert (await system.until_noted("answered"))[1:] == ["True"]
        talking = len(system.notes("beat talker"))
        await until("many heartbeats", lambda: len(system.notes("beat talker")) > talking + 20)
        assert not system.notes("ended talker")
        assert not system.notes("ended deaf")
        next(process for process in system.living() if process.name() == "wv:deaf").kill()
        await system.until_noted("up", "deaf", "4")
        assert await system.stop() == 0


async def test_an_actor_whose_database_is_missing_takes_nobody_along(tmp_path: Path) -> None:
    """It tries again and again, never too often for its supervisor, and works as soon as there is one."""
    async with running(tmp_path, "stage", "player", "unopened") as system:
        await until("it has tried more often than its supervisor bears", lambda: len(system.notes("opens")) > 5)
        assert len(system.notes("up player")) == 1
        assert "gives up" not in system.log
        with closing(sqlite3.connect(tmp_path / "its.db")) as conn:
            conn.execute("CREATE TABLE it (is_there)")
        await system.until_noted("up", "unopened")
        assert len(system.notes("up player")) == 1
        assert await system.stop() == 0


async def test_a_supervisor_all_of_whose_children_hang_lives_on_and_replaces_them(tmp_path: Path) -> None:
    """Its own heartbeats leave it while messages to thirty who take none are under way."""
    async with running(tmp_path, "stage", "troupe") as system:
        await until("all are up", lambda: len(system.notes("up extra-")) == TROUPE)
        hung = {id: pid for _, id, pid in system.notes("up extra-")}
        for pid in hung.values():
            os.kill(int(pid), signal.SIGSTOP)

        def replaced() -> bool:
            now = {id: pid for _, id, pid in system.notes("up extra-")}
            return all(now[id] != pid for id, pid in hung.items())

        await until("all are replaced", replaced, 40)
        ended = {(id, how) for _, id, how in system.notes("ended extra-")}
        assert {(id, "hung") for id in hung} <= ended
        assert not set(hung.values()) & {str(process.pid) for process in system.living()}
        assert not system.notes("ended troupe")
        assert await system.stop() == 0


async def test_a_handler_that_raises_ends_its_process_once_and_is_not_called_again(tmp_path: Path) -> None:
    async with running(tmp_path, "stage", "raiser", "poker") as system:
        await system.until_noted("up", "raiser", "3")
        handled = system.notes("handles")
        assert len(handled) == 1
        assert system.notes("ended raiser") == [["ended", "raiser", "code", "70"]]
        assert not psutil.pid_exists(int(handled[0][2]))
        assert [note[1] for note in system.notes("up")] == ["raiser", "poker", "raiser"]
        assert await system.stop() == 0
    assert "this one can't be handled" in system.log


async def test_heartbeats_tell_how_long_a_message_has_waited(tmp_path: Path) -> None:
    async with running(tmp_path, "stage", "slow", "poker") as system:
        await system.until_noted("up", "poker")
        await until("it has waited", lambda: any(float(note[3]) > 10 * HEARTBEAT for note in system.notes("beat slow")))
        ages = [float(note[3]) for note in system.notes("beat slow")]
        assert ages[0] < ages[-1]
        assert await system.stop() == 0


async def test_heartbeats_go_along_with_what_wakes_an_actor_but_not_twice_as_often(tmp_path: Path) -> None:
    async with running(tmp_path, "stage", "roused") as system:
        await until("many heartbeats", lambda: len(system.notes("beat roused")) > 20)
        times = [float(note[2]) for note in system.notes("beat roused")]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert min(gaps) >= HEARTBEAT * EARLIEST * 0.99
        assert min(gaps) < HEARTBEAT * 0.9, "it went before it was due"
        assert await system.stop() == 0


async def test_a_busy_loop_starves_neither_heartbeats_nor_messages(tmp_path: Path) -> None:
    async with running(tmp_path, "stage", "busy", "caller") as system:
        await system.until_noted("back", "5")
        enough = 3 * HEARTBEAT_TIMEOUT / HEARTBEAT
        await until("many heartbeats", lambda: len(system.notes("beat busy")) > enough)
        turns = [int(note[2]) for note in system.notes("beat busy")]
        assert turns == sorted(turns)  # one life: it was never taken for hung
        assert turns[0] < turns[-1]
        assert not system.notes("ended")
        assert await system.stop() == 0


async def test_the_order_of_the_stop_is_the_reverse_of_the_start(tmp_path: Path) -> None:
    players = [f"player-{n}" for n in range(5)]
    async with running(tmp_path, "stage", *players) as system:
        await system.until_noted("up", players[-1])
        assert [note[1] for note in system.notes("up")] == players
        assert await system.stop() == 0
        assert [note[1] for note in system.notes("stop")] == players[::-1]


async def test_an_actor_keeps_no_descriptors_of_its_siblings(tmp_path: Path) -> None:
    players = [f"player-{n}" for n in range(10)]
    async with running(tmp_path, "stage", *players) as system:
        await system.until_noted("up", players[-1])
        files = {process.name(): process.num_fds() for process in system.living()}
        assert files["wv:player-9"] <= files["wv:player-0"] + 4, files
        assert await system.stop() == 0


async def test_messages_wait_until_an_actor_is_initialised(tmp_path: Path) -> None:
    async with running(tmp_path, "stage", "player", "hasty") as system:
        await system.until_noted("directory", "for", "hasty")
        assert not system.notes("ended")
        assert await system.stop() == 0


async def test_a_stop_during_the_start_of_an_actor_is_no_crash(tmp_path: Path) -> None:
    async with running(tmp_path, "stage", "player", "hasty") as system:
        await system.until_noted("up", "player")
        await until("hasty exists", lambda: any(p.name() == "wv:hasty" for p in system.living()))
        assert await system.stop() == 0
    assert "crashed" not in system.log


async def test_a_child_that_ends_before_it_has_an_address_is_started_again(tmp_path: Path) -> None:
    async with running(tmp_path, "stage", "stillborn") as system:
        await system.until_noted("up", "stillborn", "2")
        assert system.notes("ended stillborn") == [["ended", "stillborn", "code", "9"]]


@pytest.mark.parametrize(("root", "reported"), [("bereaved", {"0", "1", "2"}), ("plain", {"0", "2"})])
async def test_children_that_die_together_are_all_reported(tmp_path: Path, root: str, reported: set[str]) -> None:
    """The second case is Thespian as it is: it shows why `thespian_fixes` exists, and when it is no longer needed."""
    async with running(tmp_path, root) as system:
        await system.until_noted("lost", "2")  # died last: whoever died before it was told of before
        assert {note[1] for note in system.notes("lost")} == reported


def listening() -> socket.socket:
    """A listener that accepts, in the kernel's queue, and says nothing."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


async def test_a_foreign_listener_on_the_port_of_the_admin_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as first, listening() as second:
        taken = [listener.getsockname()[1] for listener in (first, second)]
        monkeypatch.setenv("RUNTIME_PORTS", " ".join(map(str, taken)))
        async with running(tmp_path, "stage", "player") as system:
            await system.until_noted("up", "player")
            assert await system.stop() == 0
        for port in taken:
            assert f"port {port} of loopback can't be used for the admin: another process has" in system.log
        for listener in (first, second):
            listener.settimeout(0)
            with pytest.raises(BlockingIOError):  # nobody connected: no word was said to it
                listener.accept()


async def test_the_admin_of_another_wavigil_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    async with running(tmp_path / "old", "stage", "player") as old:
        await old.until_noted("up", "player")
        admin = next(process for process in old.living() if process.name() == "wv:admin")
        port = next(each.laddr.port for each in admin.net_connections("tcp") if each.status == psutil.CONN_LISTEN)
        monkeypatch.setenv("RUNTIME_PORTS", str(port))
        async with running(tmp_path / "new", "stage", "player") as new:
            await new.until_noted("up", "player")
            assert f"port {port} of loopback can't be used" in new.log
            assert await new.stop() == 0
        assert not old.notes("ended")
        assert await old.stop() == 0


def test_what_listens_must_be_a_child() -> None:
    """For whoever takes the port between the look and the start of the admin."""
    with listening() as stranger, pytest.raises(PortTaken, match="not a process of this actor system"):
        admin_on(stranger.getsockname()[1])


async def test_orphans_of_a_killed_supervisor_are_reaped(tmp_path: Path) -> None:
    async with running(tmp_path, "stage", "player-0", "player-1") as system:
        await system.until_noted("up", "player-1")
        before = system.living()
        assert len(before) == 8  # main, keeper, launcher, admin, logger, root and two players
        next(process for process in before if process.name() == "wv:root").kill()
        await until("another tree", lambda: len(system.notes("up player-1")) == 2)

        def zombies() -> list[psutil.Process]:
            below = psutil.Process(system.process.pid).children(recursive=True)
            return [process for process in below if process.status() == psutil.STATUS_ZOMBIE]

        await until("the dead are reaped", lambda: not zombies(), 5)
        assert [note[2] for note in system.notes("keeper")] == ['"up",', '"lost",', '"up",']
        assert await system.stop() == 0


async def test_a_signal_to_everybody_is_an_orderly_stop(tmp_path: Path) -> None:
    """As systemd sends it with KillMode=control-group, or a terminal with Ctrl-C."""
    players = [f"player-{n}" for n in range(3)]
    async with running(tmp_path, "stage", *players) as system:
        await system.until_noted("up", players[-1])
        others = [process for process in system.living() if process.pid != system.process.pid]
        for process in others:
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
                process.send_signal(number)
        assert await system.stop() == 0
        assert [note[1] for note in system.notes("stop")] == players[::-1]
        assert {note[2] for note in system.notes("ended")} == {"asked"}


async def test_a_stop_at_any_moment_of_the_start_leaves_nobody(tmp_path: Path) -> None:
    rng = random.Random(20)
    for turn in range(6):
        directory = tmp_path / str(turn)
        directory.mkdir()
        async with running(directory, "stage", "echo", "player", "hasty") as system:
            await system.until_noted("began")
            await asyncio.sleep(rng.uniform(0, 0.6))  # the moment is what is varied
            began = time.monotonic()
            assert await system.stop() == 0
            assert time.monotonic() - began < 5
