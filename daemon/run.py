"""One run of the daemon in this process: from the command to its exit status."""

import asyncio
import gc
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from actors.runtime import image, keeper, logs
from actors.runtime.launcher import launch
from actors.runtime.process import adopt_orphans, end_children, raise_open_files, set_name
from actors.store.errors import StoreError
from actors.supervision.tree import Root
from config.loader import check
from config.problems import ConfigError
from daemon import rebirth
from daemon.app import App
from daemon.backend import BackendError
from daemon.loading import STOPPING
from daemon.prepare import StartError, prepare

log = logging.getLogger(__name__)

OBEYED = (*STOPPING, signal.SIGHUP)
SIGNAL_PATIENCE = 0.01
"""Seconds for a signal that came before it was blocked to reach the event loop."""


class EarlySignals:
    """SIGTERM, SIGINT and SIGHUP from the first moment on: those that come early are obeyed as soon as it is possible.

    They interrupt nothing: a migration or a fork under way is finished first.  What came while main was replaced by a
    fresh one (`rebirth`) was blocked, and comes now.
    """

    def __init__(self) -> None:
        self._stop = False
        self.reload = False
        """Whether SIGHUP came."""
        for number in STOPPING:
            signal.signal(number, self._note)
        signal.signal(signal.SIGHUP, self._note_reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, OBEYED)

    def _note(self, _number: int, _frame: Any) -> None:
        self._stop = True

    def stop_came(self) -> bool:
        """Whether SIGTERM or SIGINT did, until now."""
        return self._stop

    def _note_reload(self, _number: int, _frame: Any) -> None:
        self.reload = True


async def _serve(app: App, early: EarlySignals, announce: Any) -> int | None:
    """Serves until a signal; returns the exit status, or None if the keeper was lost, with the signals blocked."""
    stopping = asyncio.Event()
    why = "the keeper was lost"

    def stop(number: signal.Signals) -> None:
        nonlocal why
        why = number.name
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, stop, number)
    loop.add_signal_handler(signal.SIGHUP, app.reload_asked.set)
    if early.reload:
        app.reload_asked.set()
    if early.stop_came():
        stopping.set()
    status: int | None = 0
    try:
        if not stopping.is_set():
            await app.start()
            log.info("serving on %s", app.address)
            if announce is not None:
                announce(app)
        waiting = [asyncio.ensure_future(event.wait()) for event in (stopping, app.lost)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for waiter in waiting:
            waiter.cancel()
        if not stopping.is_set():
            log.critical("the keeper of the actor system is gone, and with it all actors")
            status = None
    except (StartError, StoreError, BackendError) as error:
        print(f"wavigil: {error}", file=sys.stderr)  # noqa: T201 - the operator's terminal
        status = 1
    finally:
        log.info("stopping")
        await app.stop(why)
    if status is None:
        signal.pthread_sigmask(signal.SIG_BLOCK, OBEYED)
        await asyncio.sleep(SIGNAL_PATIENCE)
        status = 0 if stopping.is_set() else None
    return status


def run(path: Path | None, announce: Any = None) -> int:
    """Runs the daemon until SIGTERM or SIGINT; returns the exit status: 0 stopped, 1 failed, 2 wrong configuration.

    ``announce`` is called with the App once it serves.
    """
    early = EarlySignals()
    try:
        loaded = check(path)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the operator's terminal
        return 2
    if early.stop_came():
        return 0
    logs.setup(loaded.config.log.level, loaded.config.log.format)
    set_name("wavigil")
    raise_open_files()
    try:
        prepared = prepare(loaded)
    except StartError as error:
        print(f"wavigil: {error}", file=sys.stderr)  # noqa: T201 - the operator's terminal
        return 1
    if early.stop_came():
        return 0
    settings = prepared.settings
    gc.collect()
    image.gather()
    gc.freeze()  # what is imported stays shared between all processes
    beats = settings.beats
    adopt_orphans()  # whose keeper dies comes here, and is ended before anything else is done
    kept = keeper.spawn(lambda report, command: launch(Root, settings, report, command, beats), beats)

    async def serve() -> int | None:
        return await _serve(App(path, loaded, prepared, kept), early, announce)

    status = asyncio.run(serve())
    if status is None:
        return rebirth.execute(STOPPING)
    end_children(rebirth.END_PATIENCE)
    return status
