"""`wavigil doctor` and `wavigil support-bundle` with the daemon down: nothing there, all well, something damaged."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from actors.store.migrate import upgrade
from actors.store.tables import Kind
from tests.fixtures_cli import Shell

pytestmark = pytest.mark.integration


@pytest.fixture
def file(state: Path, unused_tcp_port: int) -> Path:
    """A configuration for a state directory that is not there yet."""
    path = state / "wavigil.yaml"
    path.write_text(
        f"state_dir: {state}/var\nhttp: {{listen: '127.0.0.1:{unused_tcp_port}'}}\n"
        "sessions: [{id: a-1, connector: simulator}]\n"
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def wrong(state: Path) -> Path:
    path = state / "wrong.yaml"
    path.write_text("nonsense: 1\n")
    return path


@pytest.fixture
def made(state: Path) -> Path:
    """A state directory as a daemon leaves it."""
    directory = state / "var"
    directory.mkdir(mode=0o700)
    for name, kind in {"api": Kind.API, "vault": Kind.VAULT, "health": Kind.HEALTH, "shard-0": Kind.SHARD}.items():
        upgrade(directory / f"{name}.db", kind)
    return directory


def content(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in directory.rglob("*") if path.is_file()}


async def findings(shell: Shell, file: Path, *options: str) -> tuple[int, dict[str, dict[str, str]]]:
    result = await shell("doctor", "--config", str(file), "--json", *options)
    answer = json.loads(result.out)
    assert (result.status == 1) is (answer["level"] == "fail")
    return result.status, {finding["name"]: finding for finding in answer["findings"]}


async def test_before_the_first_start(shell: Shell, file: Path, state: Path) -> None:
    status, found = await findings(shell, file)
    assert status == 0
    assert found["daemon"]["level"] == "warn"
    assert found["daemon"]["remedy"].startswith(f"start it: wavigil run --config {file}")
    assert "is not there yet" in found["fsync"]["what"]
    assert not (state / "var").exists()


async def test_of_a_daemon_that_is_down_it_reads_every_page_and_writes_nothing(
    shell: Shell, file: Path, made: Path
) -> None:
    before = content(made)
    status, found = await findings(shell, file)
    assert status == 0
    assert "4 files" in found["databases"]["what"]
    assert "every page read" in found["databases"]["what"]
    assert "20 fsyncs" in found["fsync"]["what"]
    assert found["permissions"]["level"] == found["config"]["level"] == "ok"
    assert content(made) == before


async def test_people_read_a_line_a_finding_and_what_helps(shell: Shell, file: Path, made: Path) -> None:
    (made / "vault.db").chmod(0o644)
    result = await shell("doctor", "-c", str(file))
    lines = result.out.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("warn  permissions"))
    assert f"{made}/vault.db" in lines[at]
    assert lines[at + 1].strip().startswith(f"-> chmod 700 {made}")
    assert lines[-1].endswith("0 failed")


@pytest.mark.parametrize("damage", ["page", "header", "newer", "foreign"])
async def test_a_database_that_can_not_be_used_is_named(shell: Shell, file: Path, made: Path, damage: str) -> None:
    path = made / "health.db"
    if damage == "page":
        data = bytearray(path.read_bytes())
        data[4096 : 4096 + 2000] = b"\xff" * 2000
        path.write_bytes(data)
    elif damage == "header":
        path.write_bytes(b"no database at all" * 1000)
    elif damage == "foreign":
        path.write_bytes((made / "api.db").read_bytes())
    else:
        import sqlite3  # noqa: PLC0415
        from contextlib import closing  # noqa: PLC0415

        with closing(sqlite3.connect(path)) as conn, conn:
            conn.execute("UPDATE alembic_version SET version_num = '9999'")
    status, found = await findings(shell, file)
    assert status == 1
    assert "health.db" in found["databases"]["what"]
    assert found["databases"]["remedy"]


async def test_a_wrong_configuration_is_wrong_usage(shell: Shell, wrong: Path) -> None:
    for command in ("doctor", "support-bundle"):
        result = await shell(command, "-c", str(wrong))
        assert result.status == 2
        assert f"{wrong}:1:1" in result.err


AS_NOBODY = """
import json, os, sys
from pathlib import Path
from config.loader import check
from daemon.doctor.examine import Unanswered, examine, find
loaded = check(Path(sys.argv[1]))
def ask(path):
    raise Unanswered("down")
place = find(loaded, ask, "wavigil run")
examine(place)  # everything is imported now: nobody may not read the interpreter's files
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(json.dumps([finding.to_wire() for finding in examine(find(loaded, ask, "wavigil run"))]))
"""


@pytest.mark.needs_root
def test_others_are_told_that_they_may_not_look(file: Path, made: Path) -> None:
    done = subprocess.run([sys.executable, "-c", AS_NOBODY, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = {finding["name"]: finding for finding in json.loads(done.stdout)}
    for name in ("databases", "fsync", "permissions"):
        assert found[name]["level"] == "warn"
        assert "as root" in found[name]["remedy"]


async def test_a_bundle_of_a_daemon_that_is_down(shell: Shell, file: Path, made: Path, state: Path) -> None:
    before = content(made)
    result = await shell("support-bundle", "-c", str(file), "-o", str(state / "b.tar.gz"), "--json")
    assert result.status == 0
    answer = json.loads(result.out)
    assert {"manifest.json", "config.json", "doctor.json", "databases.json", "limits.json"} <= set(answer["files"])
    assert "token file" in answer["missing"]["supervision.json"]
    with tarfile.open(state / "b.tar.gz") as archive:
        manifest = archive.extractfile(next(name for name in archive.getnames() if name.endswith("/manifest.json")))
        assert manifest is not None
        told = json.load(manifest)
    assert {part["name"] for part in told["missing"]} == set(answer["missing"])
    assert content(made) == before
    again = await shell("support-bundle", "-c", str(file), "-o", str(state / "b.tar.gz"))
    assert (again.status, "is there already" in again.err) == (2, True)
