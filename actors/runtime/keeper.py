"""The keeper: a single-threaded process between main and the actor system, forked before asyncio and threads.

From it launchers are forked, one after the other: a fork of a process with threads is never needed, and a lost actor
system starts again in place while main goes on answering.  Everything below it dies with it, and it dies with main.
"""

import contextlib
import json
import logging
import os
import select
import socket
import time
from dataclasses import dataclass
from typing import Any

from actors.runtime import liveness, logs
from actors.runtime.launcher import Launch
from actors.runtime.liveness import Beats, Silence
from actors.runtime.process import (
    adopt_orphans,
    die_with_parent,
    end_children,
    end_group,
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
STARTING_PATIENCE = 30.0
"""Seconds that a launcher may be silent while it starts, at least."""
BEAT = b"\n"
"""What says on main's channel that the keeper is well: an empty line."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Main's handle: ``channel`` carries lines of JSON from the keeper, and an empty line for each of its beats.

    The closing of the channel, or ``stop``, ends everything.
    """

    pid: int
    channel: socket.socket

    def stop(self) -> None:
        """Asks for an orderly end; the process exits when nothing is left."""
        self.channel.shutdown(socket.SHUT_WR)


class _Main:
    """Main as the keeper sees it: it is told what happens, and says nothing but the end."""

    def __init__(self, channel: socket.socket, beats: Beats) -> None:
        self.channel = channel
        self._beats = beats
        self._next_beat = 0.0

    def tell(self, message: dict[str, Any]) -> None:
        self._send(json.dumps(message).encode() + b"\n")

    def beat(self) -> None:
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + self._beats.look
            self._send(BEAT)

    def _send(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # it is gone, or hung with a full buffer: what is below is kept alive
            self.channel.send(line, socket.MSG_DONTWAIT)

    def stops_within(self, seconds: float) -> bool:
        """Waits for the end."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if select.select([self.channel], [], [], max(0.0, min(left, self._beats.look)))[0]:
                return True
            if left <= 0:
                return False
            self.beat()


def spawn(launch: Launch, beats: Beats) -> Keeper:
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
        status = _keep(launch, _Main(theirs, beats), beats)
    except BaseException:
        log.exception("the keeper failed")
    os._exit(status)


def _keep(launch: Launch, main: _Main, beats: Beats) -> int:
    set_name("wv:keeper")
    logs.identify("keeper")
    adopt_orphans()
    ignore_termination()
    losses = 0
    while True:
        began = time.monotonic()
        life = _Life(launch, main, beats)
        stopped = life.run()
        if life.group is not None:
            end_group(life.group)
        while left := end_children(REAP_PATIENCE, main.beat):
            log.error("these processes can't be killed: %s", left)
            if stopped:
                break  # else no fresh start beside them: a session must never have two owners
        if stopped:
            return 0
        losses = 1 if time.monotonic() - began > QUIET else losses + 1
        main.tell({"event": "lost", "losses": losses})
        if main.stops_within(RESTART_PAUSES[min(losses, len(RESTART_PAUSES)) - 1]):
            return 0


class _Life:
    """One life of an actor system, from the fork of its launcher to the end of that."""

    def __init__(self, launch: Launch, main: _Main, beats: Beats) -> None:
        self.group: int | None = None
        """The process group of the actors, once they are up."""
        self._main = main
        self._beats = beats
        self._report, report = os.pipe()
        command, self._command = os.pipe()
        self._pid = _fork(launch, main, (report, command), (self._report, self._command))
        os.close(report)
        os.close(command)
        self._said = b""
        self._silence = Silence(time.monotonic())

    def run(self) -> bool:
        """Watches the launcher until it has ended; returns whether main told it to."""
        end = os.pidfd_open(self._pid)
        inputs: list[Any] = [end, self._report, self._main.channel]
        stopped = False
        while True:
            ready = select.select(inputs, [], [], self._beats.look)[0]
            now = time.monotonic()
            self._main.beat()
            if self._report in ready:
                self._hear(now)
            if self._main.channel in ready:
                inputs.remove(self._main.channel)
                stopped = True
                self._stop()
            if end in ready:
                os.waitpid(self._pid, 0)
                break
            self._silence = liveness.look(self._silence, now, self._beats)
            self._end_if_hung(now)
        for fd in (end, self._report, *([] if stopped else [self._command])):
            os.close(fd)
        return stopped

    def _hear(self, now: float) -> None:
        *lines, self._said = (self._said + os.read(self._report, 65536)).split(b"\n")
        self._silence = liveness.heard(self._silence, now)
        for line in filter(None, lines):
            up = json.loads(line)
            self.group = up["group"]
            self._main.tell({"event": "up", "launcher": self._pid, **up})

    def _stop(self) -> None:
        if self.group is None:
            kill_quietly(self._pid)  # it is starting, and does not listen: there is nothing to end in order yet
        os.close(self._command)

    def _end_if_hung(self, now: float) -> None:
        """While it starts, it waits for others and says little."""
        patience = self._beats.timeout if self.group is not None else max(self._beats.timeout, STARTING_PATIENCE)
        if liveness.hung(self._silence, patience):
            log.error("the launcher process is hung, silent for %g s: the actor system is started afresh", patience)
            kill_quietly(self._pid)
            self._silence = Silence(now)


def _fork(launch: Launch, main: _Main, theirs: tuple[int, int], ours: tuple[int, int]) -> int:
    """A launcher, with its ends of the two pipes; returns its pid."""
    keeper = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        die_with_parent(keeper)
        main.channel.close()
        for fd in ours:
            os.close(fd)
        status = launch(*theirs)
    except BaseException:
        log.exception("the actor system did not start")
    os._exit(status)
