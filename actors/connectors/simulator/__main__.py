"""The simulator as a process: ``python -m actors.connectors.simulator``, started and owned by a connector host."""

import asyncio
import json
import os
import signal
import sys

from actors.connectors.fields import BadField
from actors.connectors.protocol import PROTOCOL, StartLine
from actors.connectors.simulator.connection import VERSION
from actors.connectors.simulator.server import Server

WRONG_USAGE = 2
_START_LINE_BYTES = 1024 * 1024


async def run() -> int:
    """Reads the start line, serves until the host is gone, and returns the exit code."""
    stdin = asyncio.StreamReader(limit=_START_LINE_BYTES)
    loop = asyncio.get_running_loop()
    try:
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
        if not (line := await stdin.readline()):
            return 0  # it was started ahead of time, and is not needed
        start = StartLine.read(json.loads(line))
        if start.protocol != PROTOCOL:
            raise BadField("protocol", f"expected {PROTOCOL}, got {start.protocol}")
        server = Server(start, VERSION, os.getpid())
    except ValueError as error:  # no pipe, no JSON, a bad field
        sys.stderr.write(f"the start line on standard input: {error}\n")
        return WRONG_USAGE
    await server.listen()
    sys.stdout.write(json.dumps(server.ready.to_wire()) + "\n")
    sys.stdout.flush()
    ends = [asyncio.ensure_future(_end_of(stdin)), asyncio.ensure_future(server.host_gone.wait())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    await server.close()
    return 0


async def _end_of(stdin: asyncio.StreamReader) -> None:
    while await stdin.read(4096):
        pass


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is for the daemon, which ends its host
    sys.exit(asyncio.run(run()))
