"""One connector process: start, watch, end."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.connectors.fields import Fields
from actors.connectors.host.family import Family
from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.host.stderr import Relay
from actors.connectors.host.stdout import Stdout
from actors.connectors.protocol import PROTOCOL, ReadyLine, StartLine
from actors.runtime import ward
from actors.runtime.process import die_with_parent

log = logging.getLogger(__name__)

READY_PATIENCE = 12.0
"""Seconds from the start of the process to its ready line, at least."""
DYING_PATIENCE = 1.0
"""Seconds from the end of its standard output to its own."""
LONGEST_START = 60_000
"""Bytes of the start line: what a pipe takes at once, whether somebody reads it or not."""
STOP_PATIENCE = 2.0
"""Seconds from the end of its standard input until SIGKILL."""


@dataclass(slots=True, eq=False)
class ConnectorProcess:
    """A running connector.  ``on_exit`` is called once, with its exit status as subprocess has it."""

    popen: subprocess.Popen[bytes]
    program: str
    relay: Relay
    stdout: Stdout
    started: float
    """CLOCK_MONOTONIC"""
    socket: str = ""
    """Where it was told to listen; empty before its start line."""
    ready: ReadyLine = field(init=False)
    _pidfd: int | None = None
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _family: Family | None = None
    """What was killed with it."""
    _on_exit: Callable[[int], None] = lambda _status: None

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        environment: Mapping[str, str],
        line: StartLine,
        *,
        threads: bool = False,
        patience: float = READY_PATIENCE,
    ) -> "ConnectorProcess":
        """Starts it and waits for its ready line.  Raises ConnectorFault, with the process ended.

        ``threads``: this process has some by now.
        """
        _encode(line)  # one that is too long costs no process
        process = cls.fork(command, environment, line.connector, threads=threads)
        await process.begin(line, patience)
        return process

    @classmethod
    def fork(
        cls, command: Sequence[str], environment: Mapping[str, str], connector: str, *, threads: bool = False
    ) -> "ConnectorProcess":
        """Starts it; it waits for its start line, which ``begin`` gives it.  Raises ConnectorFault."""
        started = time.monotonic()
        try:
            popen = subprocess.Popen(  # noqa: S603 - our own command; a pidfd watches it, no thread
                [*_ward(), *command] if threads else list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                close_fds=True,
                preexec_fn=None if threads else die_with_parent,  # noqa: PLW1509 - only while there is no thread
            )
        except OSError as error:
            raise ConnectorFault(FaultKind.NOT_STARTED, f"{command[0]} can't be started: {error.strerror}") from None
        assert popen.stdin is not None
        assert popen.stdout is not None
        assert popen.stderr is not None
        return cls(popen, command[0], Relay(popen.stderr, connector), Stdout(popen.stdout), started)

    async def begin(self, line: StartLine, patience: float = READY_PATIENCE) -> None:
        """Gives it its start line and waits for its ready line.  Raises ConnectorFault, with the process ended."""
        popen, self.socket = self.popen, line.socket
        assert popen.stdin is not None
        try:
            first = _encode(line)
            with contextlib.suppress(BrokenPipeError, ValueError):  # then it has ended, which is told below
                popen.stdin.write(first)
                popen.stdin.flush()
            self.ready = await _ready(self.stdout, line, patience)
        except ConnectorFault as fault:
            fault.process = (popen.pid, await self.discard(DYING_PATIENCE if fault.kind is _DIED else 0.0))
            if fault.kind is _DIED:
                fault.sentence = f"{self.program} ended before it was ready: {_how(fault.process[1])}"
            raise
        except BaseException:
            await self.discard()
            raise

    def watch(self, on_exit: Callable[[int], None]) -> None:
        """Calls back when the process has ended; of several that ask the last one is called."""
        self._on_exit, loop = on_exit, asyncio.get_running_loop()
        if self._ended.is_set():
            loop.call_soon(on_exit, self.popen.wait())
        if self._pidfd is not None or self._ended.is_set():
            return
        fd = self._pidfd = os.pidfd_open(self.popen.pid)

        def ended() -> None:
            loop.remove_reader(fd)
            self._pidfd = None
            os.close(fd)
            self._hang_up()
            status = self.popen.wait()
            self._ended.set()
            self._on_exit(status)

        loop.add_reader(fd, ended)

    def kill(self) -> None:
        """SIGKILL to a process that is watched, if it still runs, and to no other that has its pid by now."""
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):  # who asked how it ended has buried it
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def kill_all(self) -> None:
        """The same to it and to all that it has started so far: of one that nobody is linked to, nothing else tells."""
        if self.popen.poll() is None:
            self._family = Family(self.popen.pid)
            self._family.kill()

    async def ended(self) -> None:
        """Returns when a process that is watched has ended, and what was killed with it."""
        await self._ended.wait()
        if self._family is not None:
            await self._family.ended()

    async def discard(self, patience: float = 0.0) -> int:
        """Ends a process that is not watched, at once or when it did not end by itself; returns its exit status.

        What it has started is killed with it.
        """
        end = asyncio.get_running_loop().time() + patience
        while self.popen.poll() is None:
            if asyncio.get_running_loop().time() >= end:
                self.kill_all()
                self.popen.kill()  # if it could not be found out, for want of open files
                self.popen.wait()
                break
            await asyncio.sleep(0.01)
        self._hang_up()
        assert self.popen.returncode is not None
        return self.popen.returncode

    def _hang_up(self) -> None:
        self.relay.close()
        self.stdout.close()
        assert self.popen.stdin is not None
        with contextlib.suppress(OSError):  # what it did not read
            self.popen.stdin.close()

    async def stop(self) -> None:
        """Closes its standard input, which tells it to end, and kills it if it does not."""
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        end = asyncio.get_running_loop().time() + STOP_PATIENCE
        while self.popen.poll() is None:
            if asyncio.get_running_loop().time() > end:
                log.warning("connector process %d does not end and is killed", self.popen.pid)
                self.popen.kill()
                self.popen.wait()
                return
            await asyncio.sleep(0.01)


_DIED = FaultKind.DIED_AT_START


def _encode(line: StartLine) -> bytes:
    """Raises ConnectorFault."""
    first = json.dumps(line.to_wire()).encode() + b"\n"
    if len(first) > LONGEST_START:
        raise ConnectorFault(FaultKind.NOT_STARTED, f"its start line is longer than {LONGEST_START} bytes")
    return first


async def _ready(stdout: Stdout, line: StartLine, patience: float) -> ReadyLine:
    """Raises ConnectorFault."""
    try:
        async with asyncio.timeout(patience):
            first = await stdout.first_line()
    except TimeoutError:
        raise ConnectorFault(FaultKind.NOT_READY, f"it printed no ready line within {patience:g} s") from None
    except ValueError as error:
        raise ConnectorFault(FaultKind.NOT_READY, str(error)) from None
    if first is None:
        raise ConnectorFault(_DIED, "it ended before it was ready")
    try:
        values = json.loads(first)
        protocol = Fields(values).integer("protocol", PROTOCOL)
        if protocol != PROTOCOL:
            why = f"it speaks version {protocol} of the protocol, this host version {PROTOCOL}"
            raise ConnectorFault(FaultKind.WRONG_VERSION, why)
        ready = ReadyLine.read(values)
        ready.version.encode()  # JSON may have half a surrogate pair, which no frame to those who look can hold
    except (ValueError, RecursionError) as error:  # BadField among them
        raise ConnectorFault(FaultKind.NOT_READY, f"what it printed first is no ready line: {error}") from None
    if ready.connector != line.connector:
        why = f"it says that it is the connector {ready.connector!r}, and should be {line.connector!r}"
        raise ConnectorFault(FaultKind.WRONG_CONNECTOR, why)
    return ready


def _how(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"signal {-status}"


def _ward() -> list[str]:
    return [sys.executable, "-I", "-S", ward.__file__, str(os.getpid())]


def simulator_command() -> list[str]:
    """The command line of the simulator: this interpreter, isolated from the environment's Python settings."""
    return [sys.executable, "-P", "-m", "actors.connectors.simulator"]


def scrubbed_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a connector process inherits: nothing that could hold a secret."""
    kept: dict[str, Any] = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    return {**kept, **(extra or {})}
