"""The keeper: a single-threaded process between main and the actor system, forked before asyncio and threads.

From it launchers are forked, one after the other: a fork of a process with threads is never needed, and a lost actor
system starts again in place while main goes on answering.  Everything below it dies with it, and it dies with main.
"""

import json
import logging
import os
import select
import socket
import time
from dataclasses import dataclass
from typing import Any

from actors.runtime import logs
from actors.runtime.launcher import Launch, end_children, end_group
from actors.runtime.process import (
    adopt_orphans,
    die_with_parent,
    ignore_termination,
    kill_quietly,
    set_name,
)

log = logging.getLogger(__name__)

RESTART_PAUSES = (0.0, 0.2, 1.0, 5.0)
"""Seconds before each consecutive fresh start; the last one repeats."""
QUIET = 30.0
"""Seconds an actor system must have lived for the pauses to begin anew."""
REAP_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Keeper:
    """Main's handle: ``channel`` carries lines of JSON from the keeper; its closing, or ``stop``, ends everything."""

    pid: int
    channel: socket.socket

    def stop(self) -> None:
        """Asks for an orderly end; the process exits when nothing is left."""
        self.channel.shutdown(socket.SHUT_WR)


def spawn(launch: Launch) -> Keeper:
    """Forks the keeper.  Call it before any thread or event loop exists; ``launch`` runs in its grandchildren."""
    ours, theirs = socket.socketpair()
    main = os.getpid()
    pid = os.fork()
    if pid:
        theirs.close()
        return Keeper(pid, ours)
    status = 70
    try:
        ours.close()
        die_with_parent(main)
        status = _keep(launch, theirs)
    except BaseException:
        log.exception("the keeper failed")
    os._exit(status)


def _keep(launch: Launch, channel: socket.socket) -> int:
    set_name("wv:keeper")
    logs.identify("keeper")
    adopt_orphans()
    ignore_termination()
    losses = 0
    while True:
        began = time.monotonic()
        stopped, lost_group = _run_once(launch, channel)
        if lost_group is not None:
            end_group(lost_group)
        while left := end_children(REAP_PATIENCE):
            log.error("these processes can't be killed: %s", left)
            if stopped:
                break  # else no fresh start beside them: a session must never have two owners
        if stopped:
            return 0
        losses = 1 if time.monotonic() - began > QUIET else losses + 1
        _tell(channel, {"event": "lost", "losses": losses})
        pause = RESTART_PAUSES[min(losses, len(RESTART_PAUSES)) - 1]
        if select.select([channel], [], [], pause)[0]:
            return 0


def _run_once(launch: Launch, channel: socket.socket) -> tuple[bool, int | None]:
    """One life of an actor system: (told to stop?, its process group)."""
    report_read, report_write = os.pipe()
    command_read, command_write = os.pipe()
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            die_with_parent(keeper)
            channel.close()
            os.close(report_read)
            os.close(command_write)
            status = launch(report_write, command_read)
        except BaseException:
            log.exception("the actor system did not start")
        os._exit(status)
    os.close(report_write)
    os.close(command_read)
    watch = os.pidfd_open(pid)
    group: int | None = None
    stopped = False
    inputs: list[Any] = [watch, report_read, channel]
    try:
        while True:
            ready = select.select(inputs, [], [])[0]
            if report_read in ready:
                inputs.remove(report_read)
                if line := os.read(report_read, 4096):
                    up = json.loads(line)
                    group = up["group"]
                    _tell(channel, {"event": "up", "launcher": pid, **up})
            if channel in ready:  # main says nothing but the end
                inputs.remove(channel)
                stopped = True
                if group is None:
                    kill_quietly(pid)  # it is starting, and does not listen: there is nothing to end in order yet
                os.close(command_write)
                command_write = -1
            if watch in ready:
                os.waitpid(pid, 0)
                return stopped, group
    finally:
        for fd in (report_read, command_write, watch):
            if fd >= 0:
                os.close(fd)


def _tell(channel: socket.socket, message: dict[str, Any]) -> None:
    try:
        channel.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        log.warning("main does not listen any more")
