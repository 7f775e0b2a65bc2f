"""What Linux says, read right: limits, memory, control groups, locks."""

import fcntl
import os
import socket
from pathlib import Path

import psutil
from hypothesis import given
from hypothesis import strategies as st

from daemon.doctor import system

LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max processes             1234                 unlimited            processes
Max open files            1024                 524288               files
"""


def test_limits() -> None:
    assert system.parse_limits(LIMITS) == {
        "Max cpu time": (None, None),
        "Max processes": (1234, None),
        "Max open files": (1024, 524288),
    }
    import resource  # noqa: PLC0415

    assert system.read_limits(None)["Max open files"][1] == resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def test_meminfo() -> None:
    assert system.parse_meminfo("MemAvailable:   16 kB\nHugePages_Total:       3\n") == {
        "MemAvailable": 16384,
        "HugePages_Total": 3,
    }


def test_control_groups_of_both_versions() -> None:
    text = "4:memory:/a/b\n5:cpu,pids:/a\n0::/system.slice/w.service\n"
    found = system.parse_cgroups(text, "memory", ("memory.max", "memory.limit_in_bytes"))
    assert [str(path.relative_to(system.CGROUPS)) for path in found] == [
        "memory/a/b/memory.limit_in_bytes",
        "memory/a/memory.limit_in_bytes",
        "memory/memory.limit_in_bytes",
        "system.slice/w.service/memory.max",
        "system.slice/memory.max",
        "memory.max",
    ]
    assert len(system.parse_cgroups(text, "pids", ("pids.max", "pids.max"))) == 2 + 3


@given(st.text())
def test_a_lock_is_of_a_process_and_a_file(noise: str) -> None:
    line = "1: FLOCK  ADVISORY  WRITE 4711 08:02:1234 0 EOF"
    assert system.locked(f"{line}\n", 1234, "4711")
    assert not system.locked(f"{line}\n", 234, "4711")
    assert not system.locked(f"{line}\n", 1234, "4712")
    assert not system.locked(f"1: -> {line[3:]}\n", 1234, "4711")
    assert not system.locked(noise, 1234, "4711")


def test_who_holds_a_state_directory_is_seen_without_taking_the_lock(tmp_path: Path) -> None:
    assert system.read_main_pid(tmp_path) is None
    with (tmp_path / "lock").open("w") as file:
        file.write(f"{os.getpid()}\n")
        file.flush()
        assert system.read_main_pid(tmp_path) is None
        fcntl.flock(file, fcntl.LOCK_EX)
        assert system.read_main_pid(tmp_path) == os.getpid()
    assert system.read_main_pid(tmp_path) is None


def test_processes_ports_and_limits_of_this_very_process() -> None:
    own = [psutil.Process()]
    with socket.socket() as loopback, socket.socket() as wide:
        for sock, host in ((loopback, "127.0.0.1"), (wide, "0.0.0.0")):  # noqa: S104
            sock.bind((host, 0))
            sock.listen()
        found, unseen = system.read_open_ports(own)
        assert (found, unseen) == ({f"0.0.0.0:{wide.getsockname()[1]}"}, 0)
    assert system.read_memory_used(own) > 0
    assert system.read_others_tasks(os.getuid(), own) >= 0
    assert "pid_max" in system.read_task_limits(None)
    left = system.read_cgroup_memory_left(None)
    assert left is None or left >= 0
    assert system.read_processes(None) == []
    assert system.read_processes(os.getpid())[0].pid == os.getpid()
