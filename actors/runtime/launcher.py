"""Starts one actor system, watches it, ends it.

The launcher is a short-lived process of its own, forked by the keeper from an image in which everything is imported
already.  It holds no state: when the root supervisor or Thespian's admin is lost or hangs, it ends what is left and
exits, and the keeper forks the next.
"""

import contextlib
import json
import logging
import os
import secrets
import select
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from thespian.actors import Actor, ActorAddress, ActorSystem, InvalidActorAddress

from actors.messages.supervision import Init, Shutdown, Up
from actors.runtime import inherited, logs, thespian_fixes, transport
from actors.runtime.liveness import Beats
from actors.runtime.process import adopt_orphans, children, end_children, end_group, listens_on, reap, set_name
from actors.runtime.thespian_fixes import PortTaken
from actors.runtime.wards import GLANCE, Wards

log = logging.getLogger(__name__)

LOST_EXIT = 75
"""Exit status when the root or the admin was lost (EX_TEMPFAIL): start afresh."""

START_PATIENCE = 20.0
"""Seconds for the root supervisor to answer."""
PORTS = 5
"""Ports that are tried for the admin."""
BEAT = b"\n"
"""What says on the report pipe that the launcher is well: an empty line."""
HANDING_OVER = 0.05
"""Seconds to hand a message to Thespian's transport."""


class LaunchError(Exception):
    """The actor system did not come up."""


def free_ports() -> Iterable[int]:
    """Ports that nobody had a moment ago."""
    while True:
        with socket.socket() as probe:
            probe.bind((transport.LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        yield port


class _Report:
    """The pipe to the keeper."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        os.set_blocking(fd, False)

    def tell(self, **facts: int) -> None:
        os.write(self._fd, json.dumps(facts).encode() + b"\n")

    def beat(self) -> None:
        with contextlib.suppress(BlockingIOError):  # a keeper that does not read is main's business
            os.write(self._fd, BEAT)


def launch(
    root: type[Actor],
    args: Any,
    report: int,
    command: int,
    beats: Beats,
    ports: Callable[[], Iterable[int]] = free_ports,
) -> int:
    """Runs the actor system until it is told to stop (a byte on ``command``, or its end) or is lost or hung.

    Writes a line of JSON to ``report`` once the root answers: ``{"root": pid, "admin": pid, "group": pgid}``, and an
    empty one for each of its own beats.  Returns the exit status.
    """
    adopt_orphans()
    set_name("wv:launcher")
    logs.identify("launcher")
    transport.harden(secrets.token_bytes(32))
    logger_beats, logger_side = os.pipe()
    for fd in (logger_beats, logger_side):
        os.set_blocking(fd, False)
    thespian_fixes.install(os.getpid(), logger_side, beats.look)
    inherited.install()
    keeper = _Report(report)
    system, admin = _start(ports())
    keeper.beat()
    address = system.createActor(root)
    keeper.beat()
    answer = system.ask(address, Init("root", "supervisor", 1, 0.0, args), START_PATIENCE)
    if not isinstance(answer, Up):
        raise LaunchError(f"the root supervisor did not start within {START_PATIENCE:g} s")
    group = os.getpgid(answer.pid)
    watched = {"root": os.pidfd_open(answer.pid), "admin": os.pidfd_open(admin)}
    wards = Wards(system, address, admin, logger_beats, beats, time.monotonic())
    keeper.tell(root=answer.pid, admin=admin, group=group)
    try:
        if (why := _watch(wards, watched, command, keeper, beats)) is not None:
            log.error("%s: the actor system is started afresh", why)
            return LOST_EXIT
        _stop(system, address, watched["root"], args.shutdown_timeout, keeper, beats)
        return 0
    finally:
        end_group(group)


def _start(ports: Iterable[int]) -> tuple[ActorSystem, int]:
    """An actor system whose admin is certainly ours, and the pid of that.  Raises LaunchError."""
    for _, port in zip(range(PORTS), ports, strict=False):
        try:
            system = ActorSystem("multiprocTCPBase", {"Admin Port": port}, logDefs={"version": 1})
            return system, admin_on(port)
        except (PortTaken, InvalidActorAddress) as error:
            log.error("port %d of loopback can't be used for the admin: %s; another one is tried", port, error)
            end_children(START_PATIENCE)
    raise LaunchError(f"none of {PORTS} ports could be used for the admin")


def admin_on(port: int) -> int:
    """The child that listens there.  Raises PortTaken when it is somebody else's process that does."""
    for pid in children():
        if listens_on(pid, port):
            return pid
    raise PortTaken("what listens there is not a process of this actor system")


def _watch(wards: Wards, watched: dict[str, int], command: int, keeper: _Report, beats: Beats) -> str | None:
    """Returns None when told to stop, or what happened to root or admin.  Reaps orphans on the way."""
    while True:
        ready = select.select([command, *watched.values()], [], [], beats.look)[0]
        keeper.beat()
        if command in ready:
            return None
        if ready:
            return f"the {next(name for name, fd in watched.items() if fd in ready)} process is gone"
        if (hung := wards.look(time.monotonic())) is not None:
            return f"the {hung} process is hung, silent for {beats.timeout:g} s"
        reap()


def _stop(
    system: ActorSystem, root: ActorAddress, root_end: int, patience: float, keeper: _Report, beats: Beats
) -> None:
    """Asks the tree to end and waits for it."""
    end = time.monotonic() + patience
    system.ask(root, Shutdown(), HANDING_OVER)  # tell would wait for the receipt, which one that hangs never gives
    while (left := end - time.monotonic()) > 0:
        if select.select([root_end], [], [], min(left, beats.look))[0]:
            return
        keeper.beat()
        system.listen(GLANCE)
    log.warning("the tree did not end within %g s and is killed", patience)


Launch = Callable[[int, int], int]
"""``launch`` with the tree bound to it: takes the report and the command descriptor."""
