"""The daemon: start, run, reload, stop."""

import asyncio
import gc
import json
import logging
import os
import signal
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiohttp import web

from actors.runtime import image, keeper, liveness, logs
from actors.runtime.keeper import Keeper
from actors.runtime.launcher import launch
from actors.runtime.liveness import Silence
from actors.runtime.process import adopt_orphans, end_children, raise_open_files, set_name
from actors.settings import SOCKET_VAULT
from actors.store.engine import open_writer
from actors.store.errors import StoreError
from actors.supervision.tree import Root
from config.loader import Loaded, check
from config.problems import ConfigError
from daemon import rebirth
from daemon.api import keys
from daemon.api.app import build_app, build_runner
from daemon.api.auth import Role, Token
from daemon.api.settings import ApiSettings, api_settings
from daemon.audit import life
from daemon.audit.deeds import AUTOMATIC
from daemon.backend import BackendError
from daemon.chain import Chain
from daemon.fleet import Fleet
from daemon.interventions import RESTART_SYSTEM
from daemon.live_backend import LiveBackend
from daemon.loading import STOPPING
from daemon.metrics.exporter import Exporter
from daemon.prepare import Prepared, StartError, prepare
from daemon.reload import Reloader
from daemon.tls import CertificateError, server_context
from daemon.vaultkeys import VaultKeys

log = logging.getLogger(__name__)

OBEYED = (*STOPPING, signal.SIGHUP)
STOP_MARGIN = 1.0
"""Seconds beyond ``supervision.shutdown_timeout`` until the keeper and all below it are killed."""
SIGNAL_PATIENCE = 0.01
"""Seconds for a signal that came before it was blocked to reach the event loop."""
HTTP_PATIENCE = 0.5
"""Seconds for requests in flight."""


class App:
    """One daemon in this process; ``start`` returns when it serves."""

    def __init__(self, path: Path | None, loaded: Loaded, prepared: Prepared, kept: Keeper) -> None:
        self._path = path
        self._loaded = loaded
        self._prepared = prepared
        self._keeper = kept
        self._chain = Chain(kept.pid)
        self._started_at = time.time()
        self._backend: LiveBackend | None = None
        self._runner: web.AppRunner | None = None
        self._database: Any = None
        self.lost = asyncio.Event()
        """Set when the keeper has ended: nothing can be supervised any more."""
        self._began = False
        self.reload_asked = asyncio.Event()
        """Set to have the configuration read again; during the start it waits for its end."""
        self._tasks: list[asyncio.Task[None]] = []
        self.address = ""
        self._silence = Silence(asyncio.get_running_loop().time())
        self._listen_to_keeper()
        self._watching = asyncio.create_task(self._watch_keeper(), name="watch the keeper")

    async def start(self) -> None:
        """Opens the databases, the gateway and the HTTP port.  Raises StartError when the port is taken."""
        settings = self._prepared.settings
        self._database = await open_writer(settings.database("api"))
        fleet = Fleet(self._loaded, settings, self._database)
        await fleet.load()
        self._backend = LiveBackend(settings, fleet, self._database, self._chain, self._started_at)
        await self._backend.open()
        keys = VaultKeys(
            settings.socket(SOCKET_VAULT),
            settings.vault_keys,
            self._backend.accounts.trail,
            rotates=self._prepared.rotates,
        )
        reloader = Reloader(self._path, self._loaded, settings.node, fleet, self._backend, keys)
        await self._listen(self._backend, reloader)
        await life.began(self._backend.accounts)
        self._began = True
        loop = asyncio.get_running_loop()
        self._tasks += [loop.create_task(reloader.on_signal(self.reload_asked)), loop.create_task(keys.watch())]

    async def _listen(self, backend: LiveBackend, reloader: Reloader) -> None:
        http = self._loaded.config.http
        number = version("wavigil")
        own = (Token("admin", Role.ADMIN, self._prepared.token),)
        api = api_settings(http, ApiSettings(host=http.host, tokens=own, version=number))
        exporter = Exporter(backend, number, lambda: backend.supervision.last, lambda: reloader.status)
        application = build_app(backend, api, exporter, reloader)
        self._runner = build_runner(application, shutdown_timeout=HTTP_PATIENCE)
        await self._runner.setup()
        try:
            context = None if http.tls is None else server_context(http.tls)
        except CertificateError as error:
            raise StartError(f"http.tls: {error}") from None
        reloader.serving(application[keys.CURRENT], context)
        site = web.TCPSite(self._runner, http.host, http.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            raise StartError(f"can't listen on {http.listen}: {error.strerror}; is another daemon running?") from None
        port = self._runner.addresses[0][1]
        host = f"[{http.host}]" if ":" in http.host else http.host
        self.address = f"{'https' if context else 'http'}://{host}:{port}"

    def _listen_to_keeper(self) -> None:
        loop = asyncio.get_running_loop()
        channel = self._keeper.channel
        channel.setblocking(False)
        pending = bytearray()

        def readable() -> None:
            chunk = channel.recv(4096)
            if not chunk:
                loop.remove_reader(channel)
                self.lost.set()
                return
            self._silence = liveness.heard(self._silence, loop.time())
            pending.extend(chunk)
            *lines, rest = bytes(pending).split(b"\n")
            pending[:] = rest
            for line in filter(None, lines):
                self._keeper_says(json.loads(line))

        loop.add_reader(channel, readable)

    async def _watch_keeper(self) -> None:
        loop, beats = asyncio.get_running_loop(), self._prepared.settings.beats
        while not liveness.hung(self._silence, beats.timeout):
            await asyncio.sleep(beats.look)
            self._silence = liveness.look(self._silence, loop.time(), beats)
        log.critical("the keeper of the actor system is hung, silent for %g s, and is killed", beats.timeout)
        os.kill(self._keeper.pid, signal.SIGKILL)

    def _keeper_says(self, message: dict[str, Any]) -> None:
        if message["event"] == "up":
            self._chain.up(message["launcher"], message["admin"], message["root"])
            log.info("actor system up: root %d, admin %d", message["root"], message["admin"])
        else:
            self._chain.lost()
            log.error("actor system lost (%d in a row), starting afresh", message["losses"])
            if self._backend is not None:
                self._backend.accounts.counts.note(AUTOMATIC, RESTART_SYSTEM)

    async def stop(self, why: str) -> None:
        """Ends everything: first the port, then the actors, the databases last; ``why`` is for the audit log."""
        for task in self._tasks:
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._backend is not None:
            if self._began:
                await life.ended(self._backend.accounts, why)
            await self._backend.close()
        await self._end_keeper()
        if self._database is not None:
            await self._database.close()

    async def _end_keeper(self) -> None:
        self._watching.cancel()
        if not self.lost.is_set():
            self._keeper.stop()
            patience = self._prepared.settings.shutdown_timeout + STOP_MARGIN
            try:
                await asyncio.wait_for(self.lost.wait(), patience)
            except TimeoutError:
                log.warning("the actors did not end within %g s and are killed", patience)
                os.kill(self._keeper.pid, signal.SIGKILL)
        os.waitpid(self._keeper.pid, 0)  # noqa: ASYNC222 - it has ended or was killed


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
