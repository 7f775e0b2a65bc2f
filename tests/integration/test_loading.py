"""A stop that comes while a main that was executed in the place of another is loaded."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from daemon import loading

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

REPLACED = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
for number in map(int, sys.argv[1].split()):
    os.kill(os.getpid(), number)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
HANGS = """
import os, time
os.write(1, b"loading\\n")
while True:
    time.sleep(0.1)
"""


@pytest.fixture
def state(short_tmp: Path) -> Path:
    (short_tmp / "wavigil.yaml").write_text(f"state_dir: {short_tmp}/var\nhttp: {{listen: '127.0.0.1:0'}}\n")
    return short_tmp


async def replaced(state: Path, *pending: int) -> asyncio.subprocess.Process:
    """Main as `rebirth` executes it, with signals that came meanwhile; modules in ``state`` are loaded first."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", REPLACED, " ".join(map(str, pending))),
        *("-m", "daemon.cli", "run", "--config", str(state / "wavigil.yaml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, loading.VARIABLE: "1.0", "PYTHONPATH": str(state)},
    )


@pytest.mark.parametrize("number", loading.STOPPING)
async def test_one_that_had_come_before_is_obeyed_before_anything_is_done(state: Path, number: signal.Signals) -> None:
    (state / "typer").mkdir()
    (state / "typer" / "__init__.py").write_text("raise AssertionError('it goes on')")
    process = await replaced(state, number)
    assert await process.communicate() == (b"", b"")
    assert process.returncode == 0
    assert not (state / "var").exists()


@pytest.mark.parametrize("number", loading.STOPPING)
async def test_one_that_comes_meanwhile_is_obeyed_at_once(state: Path, number: signal.Signals) -> None:
    (state / "typer.py").write_text(HANGS)
    process = await replaced(state, signal.SIGHUP)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"loading\n", (await process.communicate())[1]
    process.send_signal(number)
    assert await process.communicate() == (b"", b"")
    assert process.returncode == 0
