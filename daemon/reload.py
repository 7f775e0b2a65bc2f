"""Reading the configuration again while everything runs: validated as a whole, then applied, or nothing changes."""

import asyncio
import dataclasses
import logging
import ssl
import time
from pathlib import Path

from actors.connectors.node import NodeNotFound, find_node
from actors.runtime import logs
from actors.settings import master_keys, settings_from
from config.diff import difference, in_effect
from config.loader import Loaded, check
from config.problems import ConfigError, Problem, path_text
from config.schema import Config
from daemon.api.current import Current
from daemon.api.settings import api_settings
from daemon.audit.deeds import DAEMON, DONE, RELOAD, Caller, Deed
from daemon.backend import BackendError
from daemon.configuration import ConfigStatus, Reloaded, WrongConfigurationError
from daemon.fleet import Fleet
from daemon.live_backend import LiveBackend
from daemon.tls import CertificateError, server_context, show
from daemon.vaultkeys import VaultKeys

log = logging.getLogger(__name__)


class Reloader:
    """Implements ``daemon.configuration.Configuration``.  Two reloads at once come one after the other."""

    def __init__(
        self,
        path: Path | None,
        loaded: Loaded,
        node: str | None,
        fleet: Fleet,
        backend: LiveBackend,
        keys: VaultKeys,
    ) -> None:
        self._path = path
        self._running = loaded.config
        self._node = node
        self._fleet = fleet
        self._backend = backend
        self._keys = keys
        self._current: Current | None = None
        self._tls: ssl.SSLContext | None = None
        self._turn = asyncio.Lock()
        self.status = ConfigStatus(loaded.digest, at=time.time())

    def serving(self, current: Current, tls: ssl.SSLContext | None) -> None:
        """What the HTTP port goes by: changed with each reload."""
        self._current, self._tls = current, tls

    async def on_signal(self, asked: asyncio.Event) -> None:
        """Reloads whenever the event is set, for ever; the log says how it went."""
        while True:
            await asked.wait()
            asked.clear()
            try:
                await self._audited()
            except (WrongConfigurationError, BackendError):
                continue  # logged already
            except Exception:
                log.exception("the configuration was not reloaded")

    async def _audited(self) -> None:
        trail = self._backend.accounts.trail
        deed = Deed(Caller(DAEMON), RELOAD, "-", {"signal": "SIGHUP"})
        try:
            number = await trail.begin(deed)
        except BackendError as error:
            self._refused(error)
            raise
        outcome = "internal"
        try:
            done = await self.reload("SIGHUP")
            deed, outcome = dataclasses.replace(deed, detail={**deed.detail, **done.detail()}), DONE
        except WrongConfigurationError:
            outcome = "configuration"
            raise
        except BackendError as error:
            outcome = error.reason
            raise
        finally:
            await trail.finish(number, deed, outcome)

    def _refused(self, error: Exception) -> None:
        self.status = dataclasses.replace(self.status, successful=False)
        log.error("the configuration was not reloaded, nothing was changed:\n%s", error)

    async def reload(self, who: str, *, dry_run: bool = False) -> Reloaded:
        """See ``daemon.configuration.Configuration``."""
        async with self._turn:
            try:
                wanted = await asyncio.to_thread(check, self._path)
                done = self._compare(wanted, dry_run)
                node = await asyncio.to_thread(_usable, wanted)
                if dry_run:
                    return done
                await self._apply(wanted, done, node)
            except (ConfigError, BackendError) as error:
                if not dry_run:
                    self._refused(error)
                if isinstance(error, ConfigError):
                    raise WrongConfigurationError(error.problems) from None
                raise
        log.info("the configuration was reloaded by %s: %s", who, done.summary())
        if done.restart_needed:
            log.warning("a restart is needed for %s", ", ".join(done.restart_needed))
        return done

    def _compare(self, wanted: Loaded, dry_run: bool) -> Reloaded:
        found, hands = difference(self._running, wanted.config), self._fleet.ownership(wanted)
        return Reloaded(
            source=None if wanted.source is None else str(wanted.source),
            digest=wanted.digest,
            dry_run=dry_run,
            added=tuple(id for id in found.added if id not in hands.taken_over),
            removed=tuple(id for id in found.removed if id not in hands.given_back),
            changed=found.changed,
            unchanged=found.unchanged,
            taken_over=hands.taken_over,
            given_back=hands.given_back,
            settings=found.settings,
            restart_needed=found.restart_needed,
        )

    async def _apply(self, wanted: Loaded, done: Reloaded, node: str | None) -> None:
        config = in_effect(self._running, wanted.config)
        self._node = node or self._node
        loaded = dataclasses.replace(wanted, config=config)
        if config.vault != self._running.vault:
            await self._keys.offer(master_keys(config.vault))  # it knows whether they open it
        await self._backend.reload(loaded, settings_from(config, self._node))
        # from here on nothing is refused any more
        self._running = config
        self._serve(config)
        logs.set_level(config.log.level)
        self.status = ConfigStatus(wanted.digest, at=time.time(), restart_needed=bool(done.restart_needed))

    def _serve(self, config: Config) -> None:
        if self._current is not None:
            self._current.change(api_settings(config.http, self._current.settings))
        if self._tls is not None and config.http.tls is not None:
            try:
                show(self._tls, config.http.tls)
            except CertificateError as error:  # it was fine a moment ago
                log.error("http.tls: %s; reload again", error)


def _usable(wanted: Loaded) -> str | None:
    """What the file can't say about itself: that the certificate fits its key, and that Node.js is there if needed.

    Returns the path of Node.js, if there is one.  Raises ConfigError.
    """
    problems = []
    if wanted.config.http.tls is not None:
        try:
            server_context(wanted.config.http.tls)
        except CertificateError as error:
            problems.append(_problem(wanted, ("http", "tls"), str(error), "a certificate in PEM and its key"))
    try:
        node = str(find_node().path)
    except NodeNotFound as error:
        node = None
        wanting = [index for index, spec in enumerate(wanted.config.sessions) if spec.connector == "baileys"]
        if wanting:
            problems.append(_problem(wanted, ("sessions", wanting[0]), "a session on Baileys", f"Node.js ({error})"))
    if problems:
        raise ConfigError(tuple(problems))
    return node


def _problem(wanted: Loaded, path: tuple[str | int, ...], found: str, expected: str) -> Problem:
    line = wanted.lines.get(path, 0)
    return Problem(str(wanted.source), line, min(line, 1), path_text(path), found, expected)
