"""A full disk is a clear error, loses nothing that was acknowledged, and passes when there is room again."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.store.migrate import upgrade
from actors.store.tables import Kind
from actors.vault.keyring import MasterKeys
from daemon.backup.make import BackupError, make
from daemon.backup.restore import RestoreError, restore
from tests.integration.full_disk import exercise
from tests.integration.vaults import MASTER_KEY, owner, running, until

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", str(folder)], check=True, timeout=10)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=10)


@pytest.mark.needs_root
async def test_a_full_file_system(small_disk: Path) -> None:
    ballast = small_disk / "ballast"

    def refill() -> None:
        for file in small_disk.iterdir():
            file.unlink()
        ballast.write_bytes(bytes(500_000))

    await exercise(small_disk, refill, ballast.unlink)


async def test_a_file_size_limit(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.full_disk", str(tmp_path),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


STATE = {f"key-{number}": os.urandom(3000) for number in range(150)}
NEW_KEY = bytes(reversed(MASTER_KEY))


async def fill(folder: Path, sessions: int) -> None:
    """Auth states of half a megabyte each."""
    async with running(folder):
        for number in range(sessions):
            async with owner(folder / "vault.sock", f"s{number}") as peer:
                await peer.ask("commit", set=STATE)


@pytest.mark.needs_root
async def test_a_backup_and_a_restore_that_do_not_fit(small_disk: Path, tmp_path: Path) -> None:
    state, host = tmp_path / "var", small_disk / "var"
    for folder in (state, host):
        folder.mkdir(mode=0o700)
    upgrade(state / "api.db", Kind.API)
    await fill(state, 5)
    with pytest.raises(BackupError) as refused:
        make(state, small_disk / "backup", running=False)
    assert refused.value.full
    assert os.listdir(small_disk) == [host.name]  # noqa: PTH208
    make(state, tmp_path / "backup", running=False)
    with pytest.raises(RestoreError, match=r"full|No space left"):
        restore(tmp_path / "backup", host, MasterKeys(MASTER_KEY), accept_stale=False)
    assert os.listdir(host) == []  # noqa: PTH208


@pytest.mark.needs_root
async def test_a_rotation_waits_for_room(small_disk: Path) -> None:
    await fill(small_disk, 1)
    async with running(small_disk) as server:
        ballast = small_disk / "ballast"
        free = os.statvfs(small_disk)
        ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - 150_000))
        await server.adopt(MasterKeys(NEW_KEY, (MASTER_KEY,)))
        await until(lambda: (server.store() or {}).get("writable") is False)
        rotation = server.stats()["rotation"]
        assert rotation["left"] == 1
        ballast.unlink()
        await until(lambda: server.stats()["rotation"] is None)
        async with owner(small_disk / "vault.sock", "s0") as peer:
            assert await peer.load() == STATE
