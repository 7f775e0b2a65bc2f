"""The actors of a configuration without a main process: what a test's own backend talks to.

Run as a process with the path of the configuration; ends when its standard input does.
"""

import os
import select
import signal
import sys
import time
from pathlib import Path

from actors.runtime import keeper, logs
from actors.runtime.launcher import launch
from actors.supervision.tree import Root
from config.loader import check
from daemon.prepare import prepare

PATIENCE = 10.0
"""Seconds for the actors to end."""


def main() -> None:
    loaded = check(Path(sys.argv[1]))
    logs.setup(loaded.config.log.level, loaded.config.log.format)
    settings = prepare(loaded).settings
    beats = settings.beats
    kept = keeper.spawn(lambda report, command: launch(Root, settings, report, command, beats), beats)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    kept.stop()
    end = time.monotonic() + PATIENCE
    while select.select([kept.channel], [], [], max(0.0, end - time.monotonic()))[0]:
        if not kept.channel.recv(4096):
            break
    else:
        os.kill(kept.pid, signal.SIGKILL)
    os.waitpid(kept.pid, 0)


if __name__ == "__main__":
    main()
