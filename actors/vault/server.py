"""The vault's Unix socket: who may open it (mode 0600) may use auth state, fenced by generation."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from actors.runtime import rpc
from actors.store.watch import PROBE_PERIOD
from actors.vault.commit import GroupCommit
from actors.vault.errors import VaultError
from actors.vault.link import VaultLink
from actors.vault.requests import Request
from actors.vault.storage import Answer, Storage

FLUSH_DEADLINE: Final = 1.0
"""Seconds that a peer has to read its last answers when the vault stops."""

log = logging.getLogger(__name__)


class VaultServer:
    """Serves ``db_path``, a migrated vault database, at ``socket_path``.

    ``master_key`` is 32 bytes; None stores everything plain, which `start` says in the log.  The database
    belongs to one thread, so the event loop never waits for the disk.
    """

    def __init__(self, db_path: Path, socket_path: Path, master_key: bytes | None) -> None:
        self._db_path = db_path
        self._socket_path = socket_path
        self._master_key = master_key
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
            self._storage = await self._in_thread_open()
            self._prober = asyncio.get_running_loop().create_task(self._probe())
            self._server = await rpc.serve(str(self._socket_path), self._connected)
            self._socket_identity = self._identify_socket()
        except BaseException:
            await self.stop()
            raise
        if self._master_key is None:
            log.warning("no master key is configured: auth state is stored plain, protected by file mode only")

    async def stop(self) -> None:
        """Takes no more requests, answers those it has, and closes everything."""
        if self._server is not None:
            self._server.close()
        if self._prober is not None:
            self._prober.cancel()
        await self._commits.drain()
        await self._end_links()
        await self._commits.drain()  # what a link still submitted while it ended
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
            self._unlink_socket()
        if self._storage is not None:
            storage, self._storage = self._storage, None
            await asyncio.get_running_loop().run_in_executor(self._thread, storage.close)
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
            "sealed": self._master_key is not None,
            "links": len(self.links),
            "queued": commits.queued,
            "transactions": commits.transactions,
            "answered": commits.answered,
            "refused": commits.refused,
            "failed": commits.failed,
            "latencyMs": {"p50": commits.latency(0.5) * 1000, "p99": commits.latency(0.99) * 1000},
            "dbBytes": self._db_path.stat().st_size,
        }

    def store(self) -> dict[str, Any] | None:
        """Whether the database takes writes, as its `StoreWatch` reports it; None while it is not open."""
        return None if self._storage is None else self._storage.watch.report()

    async def _probe(self) -> None:
        while self._storage is not None:
            await asyncio.sleep(PROBE_PERIOD)
            await asyncio.get_running_loop().run_in_executor(self._thread, self._storage.probe)

    async def _in_thread_open(self) -> Storage:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, Storage, self._db_path, self._master_key)

    async def _apply(self, batch: Sequence[Request]) -> Sequence[Answer | VaultError]:
        if self._storage is None:
            raise VaultError("the vault is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._storage.apply, batch)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = VaultLink(reader, writer, self._commits, self.stats)
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
            await asyncio.wait_for(flushed, FLUSH_DEADLINE)
        except TimeoutError:
            for link in links:
                link.abort()
            await asyncio.gather(*(link.ended.wait() for link in links))
