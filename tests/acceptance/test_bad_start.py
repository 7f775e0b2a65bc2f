"""What keeps the daemon from starting is said in a sentence, soon, and nothing is changed."""

import asyncio
import os
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.store.migrate import upgrade
from actors.store.tables import Kind
from config.loader import check
from daemon.prepare import StartError, prepare
from tests.fixtures_daemon import COMMAND
from tests.unit.config.test_errors import CASES, Case

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

WRONG = (
    "unknown key", "key twice", "list for a mapping", "text for the whole", "wrong choice",
    "duration without unit", "duration out of bounds", "size without unit", "number out of bounds",
    "null for a value", "off loopback without TLS", "short token", "secret twice", "session without connector",
    "id like a phone number", "unknown fault", "short key", "impatient supervisor", "weights",
    "open quote", "endless alias",
)  # fmt: skip
FILES = {"api": Kind.API, "vault": Kind.VAULT, "health": Kind.HEALTH, "recovery": Kind.RECOVERY, "shard-0": Kind.SHARD}


async def run(file: Path, state: Path, limit: asyncio.Semaphore | None = None) -> tuple[int, str]:
    """Exit status of ``wavigil run`` and all that it says."""
    async with limit or asyncio.Semaphore():
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "run", "--config", str(file), env={**os.environ, "STATE_DIRECTORY": str(state)},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(120):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode is not None
    assert b"Traceback" not in said, said
    return process.returncode, said.decode()


async def test_every_kind_of_wrong_configuration(short_tmp: Path) -> None:
    limit = asyncio.Semaphore(3)
    state = short_tmp / "var"

    async def refused(number: int, case: Case) -> None:
        file = short_tmp / f"{number}.yaml"
        file.write_text(case.text)
        status, said = await run(file, state, limit)
        assert status == 2, said
        assert f"{file}:{case.place[0]}:{case.place[1]}: " in said
        assert case.path in said
        assert f"expected {case.expected}" in said or case.expected in said

    await asyncio.gather(*(refused(number, CASES[name]) for number, name in enumerate(WRONG)))
    assert not state.exists()


# --- the state directory


@pytest.fixture
def state(short_tmp: Path) -> Path:
    """Of a daemon that was stopped."""
    folder = short_tmp / "var"
    folder.mkdir(mode=0o700)
    for name, kind in FILES.items():
        upgrade(folder / f"{name}.db", kind)
    token = folder / "admin.token"
    token.write_text("a" * 43 + "\n")
    token.chmod(0o600)
    return folder


def contents(state: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.name: (path.read_bytes(), path.stat().st_mode)
        for path in state.iterdir()
        if path.suffix in {".db", ".token"}
    }


def newer(name: str) -> Callable[[Path], None]:
    def change(state: Path) -> None:
        with closing(sqlite3.connect(state / f"{name}.db")) as conn:
            conn.execute("UPDATE alembic_version SET version_num = '0042'")
            conn.commit()

    return change


def foreign(state: Path) -> None:
    (state / "health.db").write_bytes(b"not a database at all" * 100)


def swapped(state: Path) -> None:
    (state / "vault.db").write_bytes((state / "recovery.db").read_bytes())


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    **{
        f"{name} of a newer version": (newer(name), rf"{name}\.db: has schema 0042, but this version of wavigil knows")
        for name in FILES
    },
    "no database": (foreign, r"health\.db: is not a SQLite database"),
    "the wrong database": (swapped, r"vault\.db: holds the recovery database, not the vault database"),
    "a token that others may read": (
        lambda state: (state / "admin.token").chmod(0o644),
        r"admin\.token can be read by others: run chmod 600",
    ),
    "no token": (lambda state: (state / "admin.token").write_text("x"), r"admin\.token holds no token"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_state_directory_that_can_not_be_used_stays_as_it_is(short_tmp: Path, state: Path, name: str) -> None:
    change, expected = REFUSED[name]
    change(state)
    before = contents(state)
    file = short_tmp / "wavigil.yaml"
    file.write_text(f"state_dir: {state}\nhttp: {{listen: '127.0.0.1:0'}}\n")
    with pytest.raises(StartError, match=expected):
        prepare(check(file))
    assert contents(state) == before


async def test_a_port_in_use(short_tmp: Path, state: Path) -> None:
    file = short_tmp / "wavigil.yaml"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        file.write_text(f"http: {{listen: '127.0.0.1:{taken.getsockname()[1]}'}}\n")
        before = contents(state)
        status, said = await run(file, state)
    assert (status, "in use; is another daemon running?" in said) == (1, True), said
    assert contents(state) == before


def test_a_file_for_a_directory(short_tmp: Path) -> None:
    (short_tmp / "var").write_text("mine")
    file = short_tmp / "wavigil.yaml"
    file.write_text(f"state_dir: {short_tmp / 'var'}\n")
    with pytest.raises(StartError, match=r"the directory .*var can't be made"):
        prepare(check(file))
    assert (short_tmp / "var").read_text() == "mine"


@pytest.fixture
def read_only(state: Path) -> Iterator[Path]:
    subprocess.run(["mount", "--bind", str(state), str(state)], check=True, timeout=20)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(state)], check=True, timeout=20)
        yield state
    finally:
        subprocess.run(["umount", "--lazy", str(state)], check=True, timeout=20)


@pytest.mark.needs_root
def test_a_read_only_file_system(short_tmp: Path, read_only: Path) -> None:
    file = short_tmp / "wavigil.yaml"
    file.write_text(f"state_dir: {read_only}\n")
    before = contents(read_only)
    with pytest.raises(StartError, match=r"can't be (written|opened)"):
        prepare(check(file))
    assert contents(read_only) == before


@pytest.mark.needs_root
def test_what_belongs_to_somebody_else(short_tmp: Path, state: Path) -> None:
    file = short_tmp / "wavigil.yaml"
    file.write_text(f"state_dir: {state}\nhttp: {{listen: '127.0.0.1:0'}}\n")
    before = contents(state)
    for path in (state, state / "vault.db"):
        os.chown(path, 12345, 12345)
        with pytest.raises(StartError, match=f"{path.name}:? belongs to user 12345, wavigil runs as 0"):
            prepare(check(file))
        os.chown(path, 0, 0)
    assert contents(state) == before
