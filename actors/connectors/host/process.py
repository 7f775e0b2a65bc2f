"""One connector process: start, watch, end."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.connectors.fields import BadField
from actors.connectors.host.stderr import Relay
from actors.connectors.protocol import ReadyLine, StartLine
from actors.runtime import ward
from actors.runtime.process import die_with_parent

log = logging.getLogger(__name__)

READY_PATIENCE = 20.0
"""Seconds from the start of the process to its ready line."""
STOP_PATIENCE = 2.0
"""Seconds from the end of its standard input until SIGKILL."""


class ConnectorFailed(Exception):
    """The connector process did not start, or said something that is not of the protocol."""


@dataclass(slots=True)
class ConnectorProcess:
    """A running connector.  ``on_exit`` is called once, with its exit status as subprocess has it."""

    popen: subprocess.Popen[bytes]
    ready: ReadyLine
    relay: Relay
    started: float
    """CLOCK_MONOTONIC"""
    socket: str
    """Where it was told to listen."""
    _pidfd: int | None = None

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], line: StartLine, *, threads: bool = False
    ) -> "ConnectorProcess":
        """Starts it and waits for its ready line.  Raises ConnectorFailed, with the process ended.

        ``threads``: this process has some by now.
        """
        started = time.monotonic()
        popen = subprocess.Popen(  # noqa: S603, ASYNC220 - our own command; a pidfd watches it, no thread
            [*_ward(), *command] if threads else list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            close_fds=True,
            preexec_fn=None if threads else die_with_parent,  # noqa: PLW1509 - only while there is no thread
        )
        assert popen.stderr is not None
        relay = Relay(popen.stderr, line.connector)
        try:
            assert popen.stdin is not None
            popen.stdin.write(json.dumps(line.to_wire()).encode() + b"\n")
            popen.stdin.flush()
            ready = ReadyLine.read(json.loads(await asyncio.wait_for(_first_line(popen), READY_PATIENCE)))
        except (OSError, TimeoutError, ValueError, BadField) as error:
            popen.kill()
            status = popen.wait()
            relay.close()
            raise ConnectorFailed(f"{command[0]} did not become ready ({error!r}), exit status {status}") from error
        if ready.connector != line.connector:
            popen.kill()
            relay.close()
            raise ConnectorFailed(f"expected a {line.connector} connector, {ready.connector} answered")
        return cls(popen, ready, relay, started, line.socket)

    def watch(self, on_exit: Callable[[int], None]) -> None:
        """Calls back when the process has ended."""
        loop = asyncio.get_running_loop()
        fd = self._pidfd = os.pidfd_open(self.popen.pid)

        def ended() -> None:
            loop.remove_reader(fd)
            os.close(fd)
            self.relay.close()
            self._pidfd = None
            on_exit(self.popen.wait())

        loop.add_reader(fd, ended)

    def kill(self) -> None:
        """SIGKILL to a process that is watched, if it still runs, and to no other that has its pid by now."""
        if self._pidfd is not None:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

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


async def _first_line(popen: subprocess.Popen[bytes]) -> bytes:
    """The first line of its standard output, without a thread."""
    assert popen.stdout is not None
    fd = popen.stdout.fileno()
    os.set_blocking(fd, False)
    loop = asyncio.get_running_loop()
    line = b""
    while not line.endswith(b"\n"):
        readable = asyncio.Event()
        loop.add_reader(fd, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(fd)
        chunk = os.read(fd, 4096)
        if not chunk:
            raise ConnectorFailed("it ended before it was ready")
        line += chunk
    return line


def _ward() -> list[str]:
    return [sys.executable, "-I", "-S", ward.__file__, str(os.getpid())]


def simulator_command() -> list[str]:
    """The command line of the simulator: this interpreter, isolated from the environment's Python settings."""
    return [sys.executable, "-P", "-m", "actors.connectors.simulator"]


def scrubbed_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a connector process inherits: nothing that could hold a secret."""
    kept: dict[str, Any] = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    return {**kept, **(extra or {})}
