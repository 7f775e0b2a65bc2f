"""Runs a writer again and again in a forked process, each time until the test kills it.

Each line on standard input starts one; its pid is the answer on standard output.  The imports are paid once.
"""

import asyncio
import itertools
import os
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from actors.events import EventType
from actors.store import outbox
from actors.store.engine import open_writer
from actors.store.records import NewEvent
from actors.vault.keyring import MasterKeys
from actors.vault.server import VaultServer


async def append_for_ever(path: str) -> None:
    """Appends transactions of several events each, some of which are rolled back."""
    rng = random.Random()
    async with await open_writer(Path(path)) as database:
        for number in itertools.count():
            size = rng.randint(1, 6)
            data = {"batch": f"{os.getpid()}-{number}", "size": size}
            async with database.begin() as conn:
                for _ in range(size):
                    await outbox.append(conn, [NewEvent(float(number), EventType.SESSION_SEND, None, data)])
                if rng.random() < 0.2:
                    await conn.rollback()


async def serve_vault(db_path: str, socket_path: str, master_key: str, *previous: str) -> None:
    """Serves a vault; an empty key leaves it plain."""
    keys = MasterKeys(bytes.fromhex(master_key) or None, tuple(map(bytes.fromhex, previous)))
    await VaultServer(Path(db_path), Path(socket_path), keys).start()
    await asyncio.Event().wait()


WORKERS: dict[str, Callable[..., Awaitable[None]]] = {"outbox": append_for_ever, "vault": serve_vault}


def main() -> None:
    """Forks a worker for each line, and collects it when it was killed."""
    worker, arguments = WORKERS[sys.argv[1]], sys.argv[2:]
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            asyncio.run(worker(*arguments))  # type: ignore[arg-type]
            os._exit(1)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
