"""An actor system of test actors, started as main starts one: ``python -m … DIRECTORY ROOT [CHILD …]``.

SIGTERM ends it in order.  What the keeper says is written into the notes of the scene.  RUNTIME_PORTS in the
environment are the ports that are tried first for the admin.
"""

import os
import select
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from actors.runtime import keeper, logs
from actors.runtime.launcher import free_ports, launch
from actors.runtime.liveness import Beats
from tests.integration.runtime_actors import ROOTS, Scene

BEATS = Beats(0.2, 3.0)


def ports() -> Iterable[int]:
    """What the test says, then any that is free."""
    yield from (int(port) for port in os.environ.get("RUNTIME_PORTS", "").split())
    yield from free_ports()


def main(directory: str, root: str, *children: str) -> int:
    """Runs until SIGTERM or until the keeper has ended."""
    scene = Scene(Path(directory), children)
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    os.environ["RUNTIME_SCENE"] = directory
    logs.setup()
    scene.note("began")
    kept = keeper.spawn(lambda report, command: launch(ROOTS[root], scene, report, command, BEATS, ports), BEATS)
    stopped = False
    while True:
        if told and not stopped:
            stopped = True
            kept.stop()
        if select.select([kept.channel], [], [], 0.01)[0]:
            said = kept.channel.recv(4096)
            if not said:
                break
            for line in said.decode().split("\n"):
                if line:
                    scene.note("keeper", line)
    return os.waitstatus_to_exitcode(os.waitpid(kept.pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
