"""The daemon: start, run, reload, stop."""

import asyncio
import json
import logging
import os
import signal
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiohttp import web

from actors.runtime import liveness
from actors.runtime.keeper import Keeper
from actors.runtime.liveness import Silence
from actors.settings import SOCKET_VAULT
from actors.store.engine import open_writer
from config.loader import Loaded
from daemon.api import keys
from daemon.api.app import build_app, build_runner
from daemon.api.auth import Role, Token
from daemon.api.settings import ApiSettings, api_settings
from daemon.audit import life
from daemon.audit.deeds import AUTOMATIC
from daemon.chain import Chain
from daemon.fleet import Fleet
from daemon.interventions import RESTART_SYSTEM
from daemon.live_backend import LiveBackend
from daemon.metrics.exporter import Exporter
from daemon.prepare import Prepared, StartError
from daemon.reload import Reloader
from daemon.tls import CertificateError, server_context
from daemon.vaultkeys import VaultKeys

log = logging.getLogger(__name__)

STOP_MARGIN = 1.0
"""Seconds beyond ``supervision.shutdown_timeout`` until the keeper and all below it are killed."""
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
                async with asyncio.timeout(patience):
                    await self.lost.wait()
            except TimeoutError:
                log.warning("the actors did not end within %g s and are killed", patience)
                os.kill(self._keeper.pid, signal.SIGKILL)
        os.waitpid(self._keeper.pid, 0)  # noqa: ASYNC222 - it has ended or was killed
