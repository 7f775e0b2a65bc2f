"""The vault's Unix socket: who may open it (mode 0600) may use auth state, fenced by generation."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from actors.runtime import rpc
from actors.store.errors import StoreError
from actors.store.watch import PROBE_PERIOD
from actors.vault.commit import GroupCommit
from actors.vault.errors import MasterKeyError, VaultError
from actors.vault.keyring import MasterKeys
from actors.vault.link import VaultLink
from actors.vault.requests import Request
from actors.vault.storage import Answer, Storage

T = TypeVar("T")

ROTATION_REST: Final = 4.0
"""How much longer than a step of a rotation the pause after it is."""
READER_PAUSE: Final = 0.5
"""Seconds between looks whether a rotation can end that somebody who reads the file holds up."""
FLUSH_DEADLINE: Final = 1.0
"""Seconds that a peer has to read its last answers when the vault stops."""

log = logging.getLogger(__name__)


class VaultServer:
    """Serves ``db_path``, a migrated vault database, at ``socket_path``.

    Without a master key everything is stored plain, which `start` says in the log.  The database belongs to one thread,
    so the event loop never waits for the disk.

    With ``patient``, keys that do not open the database are no error: it listens, and requests wait until main has
    offered the right ones.  So it is after a change of the master key: who starts the vault may still have the old one.
    """

    def __init__(self, db_path: Path, socket_path: Path, keys: MasterKeys, *, patient: bool = False) -> None:
        self._db_path = db_path
        self._socket_path = socket_path
        self._keys = keys
        self._patient = patient
        self._opened = asyncio.Event()
        self._adopting = asyncio.Lock()
        self._rotating: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vault-db")
        self._storage: Storage | None = None
        self._commits = GroupCommit(self._apply)
        self._server: asyncio.Server | None = None
        self._prober: asyncio.Task[None] | None = None
        self.links: set[VaultLink] = set()
        """The peers that are connected."""
        self._socket_identity = (0, 0)

    async def start(self) -> None:
        """Opens the database and listens.  Raises StoreError, MasterKeyError, OSError."""
        try:
            await self._open()
            self._prober = asyncio.get_running_loop().create_task(self._probe())
            self._server = await rpc.serve(str(self._socket_path), self._connected)
            self._socket_identity = self._identify_socket()
        except BaseException:
            await self.stop()
            raise
        if self._keys.master is None:
            log.warning("no master key is configured: auth state is stored plain, protected by file mode only")

    async def _open(self) -> None:
        try:
            self._take(await self._in_thread_open(self._keys))
        except MasterKeyError as error:
            if not self._patient:
                raise
            log.warning("the vault waits for its master key: %s", error)

    def _take(self, storage: Storage) -> None:
        self._storage = storage
        self._opened.set()
        self._rotate_on()

    async def adopt(self, keys: MasterKeys) -> None:
        """Works with these keys from now on.  Raises MasterKeyError, StoreError: all is as it was."""
        async with self._adopting:
            if self._storage is None:
                self._take(await self._in_thread_open(keys))
            elif keys != self._keys:
                await self._in_thread(self._storage.adopt, keys)
            self._rotate_on()  # also with the same keys, if it had stopped
            self._keys = keys

    def _rotate_on(self) -> None:
        if self._storage is not None and self._storage.rotation is not None and self._rotating is None:
            self._rotating = asyncio.get_running_loop().create_task(self._rotate(self._storage))
            self._rotating.add_done_callback(_log_failure)

    async def _rotate(self, storage: Storage) -> None:
        """Session by session, at most a fifth of the vault's time, until nothing is left."""
        now = asyncio.get_running_loop().time
        log.info("the master key is being rotated")
        try:
            while storage.rotation is not None:
                began = now()
                try:
                    went_on = await self._in_thread(storage.rotate)
                except StoreError as error:
                    storage.watch.tell(log, "the rotation of the master key waits", error)
                    await asyncio.sleep(PROBE_PERIOD)
                    continue
                await asyncio.sleep((now() - began) * ROTATION_REST if went_on else READER_PAUSE)
        finally:
            self._rotating = None
        log.info("the rotation of the master key is done")

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    async def stop(self) -> None:
        """Takes no more requests, answers those it has, and closes everything."""
        if self._server is not None:
            self._server.close()
        for task in filter(None, (self._prober, self._rotating)):
            task.cancel()
        self._opened.set()  # what waits for a key that never came is refused
        await self._commits.drain()
        await self._end_links()
        await self._commits.drain()  # what a link still submitted while it ended
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
            self._unlink_socket()
        if self._storage is not None:
            storage, self._storage = self._storage, None
            await self._in_thread(storage.close)
        self._thread.shutdown()

    def _unlink_socket(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._identify_socket() == self._socket_identity:  # else a successor listens there already
                self._socket_path.unlink()

    def _identify_socket(self) -> tuple[int, int]:
        found = self._socket_path.stat()
        return found.st_ino, found.st_mtime_ns  # the number of a deleted file may be given out again

    def stats(self) -> dict[str, Any]:
        """Counts since the start; ``latencyMs`` is over the last requests, from arrival to durable."""
        commits = self._commits
        return {
            "open": self._storage is not None,
            "sealed": self._keys.master is not None,
            "rotation": self._rotation(),
            "links": len(self.links),
            "queued": commits.queued,
            "transactions": commits.transactions,
            "answered": commits.answered,
            "refused": commits.refused,
            "failed": commits.failed,
            "latencyMs": {"p50": commits.latency(0.5) * 1000, "p99": commits.latency(0.99) * 1000},
            "dbBytes": self._db_path.stat().st_size,
        }

    def _rotation(self) -> dict[str, Any] | None:
        storage = self._storage
        return None if storage is None or storage.rotation is None else storage.rotation.to_wire()

    def store(self) -> dict[str, Any] | None:
        """Whether the database takes writes, as its `StoreWatch` reports it; None while it is not open."""
        return None if self._storage is None else self._storage.watch.report()

    async def _probe(self) -> None:
        await self._opened.wait()
        while self._storage is not None:
            await asyncio.sleep(PROBE_PERIOD)
            await self._in_thread(self._storage.probe)

    async def _in_thread_open(self, keys: MasterKeys) -> Storage:
        return await self._in_thread(Storage, self._db_path, keys)

    async def _apply(self, batch: Sequence[Request]) -> Sequence[Answer | VaultError]:
        await self._opened.wait()
        if self._storage is None:
            raise VaultError("the vault is not open")
        return await self._in_thread(self._storage.apply, batch)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = VaultLink(reader, writer, self._commits, self.stats, self.adopt)
        self.links.add(link)
        try:
            await link.run()
        finally:
            self.links.discard(link)

    async def _end_links(self) -> None:
        """Lets the links flush their answers; cuts off a peer that does not read them."""
        links = list(self.links)
        for link in links:
            link.close()
        flushed = asyncio.gather(*(link.ended.wait() for link in links))
        try:
            async with asyncio.timeout(FLUSH_DEADLINE):
                await flushed
        except TimeoutError:
            for link in links:
                link.abort()
            await asyncio.gather(*(link.ended.wait() for link in links))


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the rotation of the master key stopped; it goes on with the next start", exc_info=error)
