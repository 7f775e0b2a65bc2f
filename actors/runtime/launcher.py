"""Starts one actor system, watches it, ends it.

The launcher is a short-lived process of its own, forked by the keeper from an image in which everything is imported
already.
It holds no state: when the root supervisor or Thespian's admin is lost, it ends what is left and exits, and the
keeper forks the next.
"""

import contextlib
import json
import logging
import os
import secrets
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thespian.actors import Actor, ActorSystem

from actors.messages import Init, Shutdown, Up
from actors.runtime import logs, thespian_fixes, transport
from actors.runtime.process import adopt_orphans, kill_quietly, set_name

log = logging.getLogger(__name__)

LOST_EXIT = 75
"""Exit status when the root or the admin was lost (EX_TEMPFAIL): start afresh."""

START_PATIENCE = 20.0
"""Seconds for the root supervisor to answer."""


REAP_PERIOD = 1.0
"""Seconds between two looks for dead orphans: a killed supervisor leaves its children, killed with it, to be reaped."""


class LaunchError(Exception):
    """The actor system did not come up."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((transport.LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def launch(root: type[Actor], args: Any, report: int, command: int) -> int:
    """Runs the actor system until it is told to stop (a byte on ``command``, or its end) or is lost.

    Writes one line of JSON to ``report`` once the root answers: ``{"root": pid, "admin": pid, "group": pgid}``.
    Returns the exit status.
    """
    adopt_orphans()
    set_name("wv:launcher")
    logs.identify("launcher")
    transport.harden(secrets.token_bytes(32))
    thespian_fixes.install(os.getpid())
    system = ActorSystem("multiprocTCPBase", {"Admin Port": _free_port()}, logDefs={"version": 1})
    address = system.createActor(root)
    answer = system.ask(address, Init("root", "supervisor", 1, 0.0, args), START_PATIENCE)
    if not isinstance(answer, Up):
        raise LaunchError(f"the root supervisor did not start within {START_PATIENCE:g} s")
    admin = _parent_of(answer.pid)
    group = os.getpgid(answer.pid)
    watched = {"root": os.pidfd_open(answer.pid), "admin": os.pidfd_open(admin)}
    os.write(report, json.dumps({"root": answer.pid, "admin": admin, "group": group}).encode() + b"\n")
    try:
        if command not in (ready := _wait([command, *watched.values()])):
            lost = next(name for name, fd in watched.items() if fd in ready)
            log.error("the %s process is gone: the actor system is started afresh", lost)
            return LOST_EXIT
        system.tell(address, Shutdown())
        patience = args.shutdown_timeout
        if not select.select([watched["root"]], [], [], patience)[0]:
            log.warning("the tree did not end within %g s and is killed", patience)
        return 0
    finally:
        end_group(group)


def _wait(fds: list[int]) -> list[int]:
    """Blocks until one of them is readable.  Meanwhile reaps: whose parent died is a child of this process."""
    while True:
        ready: list[int] = select.select(fds, [], [], REAP_PERIOD)[0]
        if ready:
            return ready
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[1])


def end_group(group: int) -> None:
    """SIGKILL to a process group that may be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def end_children(patience: float) -> list[int]:
    """Kills and reaps until this process has no child left; orphans that come to it meanwhile included.

    Returns the pids that are left after ``patience`` seconds.
    """
    end = time.monotonic() + patience
    while (left := _children()) and time.monotonic() < end:
        for pid in left:
            kill_quietly(pid)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.002)
    return left


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()]


Launch = Callable[[int, int], int]
"""``launch`` with the tree bound to it: takes the report and the command descriptor."""
