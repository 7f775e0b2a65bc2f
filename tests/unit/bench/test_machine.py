"""A bench that is told to end ends what it has started."""

import signal
import subprocess
import sys

import pytest

BENCH = """
import asyncio
from tests.bench.machine import end_on_sigterm

async def bench():
    try:
        print("begun", flush=True)
        await asyncio.sleep(60)
    finally:
        print("cleaned up", flush=True)

end_on_sigterm()
asyncio.run(bench())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_cleans_up_also_in_the_background_of_a_shell(number: signal.Signals) -> None:
    """There it is started with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        bench = subprocess.Popen(
            [sys.executable, "-c", BENCH], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with bench:
        assert bench.stdout is not None
        assert bench.stdout.readline() == "begun\n"
        bench.send_signal(number)
        out, _ = bench.communicate(timeout=20)
    assert out == "cleaned up\n"
    assert bench.returncode != 0
