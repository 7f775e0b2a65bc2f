"""What a process asks of Linux, and the timer that is a descriptor."""

import os
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from actors.runtime.process import is_stopped, kill_quietly, parent_of, rss_bytes
from actors.runtime.timerfd import TimerFd


def python(code: str, **options: object) -> str:
    """Runs it in an interpreter of its own."""
    prelude = "import os, signal, sys, time\nfrom actors.runtime import process\n"
    done = subprocess.run(
        [sys.executable, "-c", prelude + code], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.strip()


def readable(timer: TimerFd, patience: float) -> bool:
    return bool(select.select([timer.fd], [], [], patience)[0])


@pytest.fixture
def timer() -> TimerFd:
    return TimerFd()


def test_a_timer_is_readable_when_its_time_has_come(timer: TimerFd) -> None:
    began = time.monotonic()
    timer.set(0.05)
    assert not readable(timer, 0)
    assert readable(timer, 5)
    assert time.monotonic() - began >= 0.05
    timer.drain()
    assert not readable(timer, 0)
    timer.drain()  # nothing to drain is fine
    os.close(timer.fd)


def test_a_timer_can_be_moved_and_disarmed(timer: TimerFd) -> None:
    timer.set(60)
    timer.set(0)
    assert readable(timer, 5)
    timer.set(60)  # arming anew clears what had expired
    assert not readable(timer, 0)
    timer.set(0.01)
    timer.set(None)
    assert not readable(timer, 0.05)
    os.close(timer.fd)


def test_a_timer_does_not_survive_exec(timer: TimerFd) -> None:
    assert not os.get_inheritable(timer.fd)
    os.close(timer.fd)


def test_a_process_dies_with_its_parent() -> None:
    code = """
inner = os.fork()
if inner == 0:
    child = os.fork()
    if child == 0:
        process.die_with_parent()
        os.write(1, f"{os.getpid()}\\n".encode())
        time.sleep(60)
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(inner, 0)
"""
    pid = int(python("process.adopt_orphans()\n" + code + "print(os.waitpid(-1, 0)[1])").split()[0])
    assert rss_bytes(pid) is None


def test_an_actor_whose_creator_is_gone_exits_before_it_works() -> None:
    """The creator dies between the fork and the child's first line: the kernel's signal would never come."""
    code = """
import multiprocessing
process.adopt_orphans()
read, write = os.pipe()
def late():
    os.read(read, 1)
    process.settle_actor()
    os.write(1, b"works")
def creator():
    multiprocessing.get_context("fork").Process(target=late).start()
    os.kill(os.getpid(), signal.SIGKILL)
first = multiprocessing.get_context("fork").Process(target=creator)
first.start()
first.join()
os.write(write, b"x")
print("ended", os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert python(code) == "ended 0"


def test_signals_for_main_are_left_to_main() -> None:
    code = """
process.ignore_termination()
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    os.kill(os.getpid(), number)
print("lives")
"""
    assert python(code) == "lives"


def test_the_limit_of_open_files_goes_up_and_never_down() -> None:
    code = """
import resource
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
print(process.raise_open_files(1024), process.raise_open_files(512), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] not in {resource.RLIM_INFINITY, *range(1024)}:
        assert python(code) == "1024 1024 1024"


def test_names_are_cut_to_what_the_kernel_keeps() -> None:
    name = python("process.set_name('wv:a-very-long-name'); print(open('/proc/self/comm').read())")
    assert name == "wv:a-very-long-"


def test_who_is_gone_is_no_error() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    kill_quietly(gone.pid, signal.SIGTERM)
    assert rss_bytes(gone.pid) is None
    assert (rss_bytes(os.getpid()) or 0) > 1_000_000
    assert Path(f"/proc/{os.getpid()}").exists()


def test_children_are_ended_however_deep_they_are() -> None:
    code = """
from actors.runtime.process import end_children
process.adopt_orphans()
process_group = []
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            process.ignore_termination()
        time.sleep(60)
print(end_children(5.0))
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("nobody left")
"""
    assert python(code).split("\n") == ["[]", "nobody left"]


def test_a_process_may_have_any_name(tmp_path: Path) -> None:
    program = tmp_path / "коннектор) 1"  # of which the kernel keeps 15 bytes, the last one half a letter
    program.symlink_to(sys.executable)
    process = subprocess.Popen([program, "-c", "print('runs', flush=True); input()"], stdin=-1, stdout=-1)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"runs\n"
        assert b"\xd0)" in Path(f"/proc/{process.pid}/stat").read_bytes()
        assert parent_of(process.pid) == os.getpid()
        assert not is_stopped(process.pid)
        process.kill()
