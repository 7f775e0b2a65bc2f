"""`wavigil pair`: codes are drawn, replaced, and it says when it worked or why not."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fixtures_cli import Result, Shell
from tests.memory_backend import MemoryBackend


async def running(
    wavigil: Shell, *arguments: str
) -> "tuple[asyncio.Task[Result], Callable[[Callable[[str], bool]], Any]]":
    task = asyncio.create_task(wavigil(*arguments))
    seen = ""

    async def shows(condition: Callable[[str], bool]) -> str:
        nonlocal seen
        async with asyncio.timeout(20):
            while not condition(seen):
                assert not task.done(), task.result()
                await asyncio.sleep(0.01)
                seen += wavigil.out()
        return seen

    return task, shows


async def test_pair_draws_again_and_says_when_it_worked(wavigil: Shell, memory: MemoryBackend) -> None:
    task, shows = await running(wavigil, "pair", "unpaired-1")
    await shows(lambda text: text.count("Link a device") == 1)
    memory.rotate("unpaired-1")
    text = await shows(lambda text: text.count("Link a device") == 2)
    assert "█" in text
    memory.scan("unpaired-1")
    result = await task
    assert result.status == 0
    assert "unpaired-1 is paired with 1555•••89@s.whatsapp.net and open." in result.out


async def test_pair_by_code(wavigil: Shell, memory: MemoryBackend) -> None:
    task, shows = await running(wavigil, "pair", "unpaired-1", "--phone", "+15550100189")
    await shows(lambda text: "ABCD-1234" in text)
    memory.scan("unpaired-1")
    assert (await task).status == 0


async def test_pair_that_fails_says_why(wavigil: Shell, memory: MemoryBackend) -> None:
    task, shows = await running(wavigil, "pair", "unpaired-1")
    await shows(lambda text: "Link a device" in text)
    memory.gives_qr = False  # else the command's next question could begin another pairing
    memory.set_live("unpaired-1", state="blocked", cause="forbidden", message="refused", remedy="unlock it", since=1.0)
    result = await task
    assert result.status == 1
    assert "refused" in result.err
    assert "unlock it" in result.err


async def test_pair_goes_on_with_a_session_that_was_logged_out(wavigil: Shell, memory: MemoryBackend) -> None:
    await memory.logout("opens-1", "test")
    task, shows = await running(wavigil, "pair", "opens-1")
    await shows(lambda text: "Link a device" in text)
    memory.scan("opens-1")
    assert (await task).status == 0


async def test_pair_waits_for_the_first_code(wavigil: Shell, memory: MemoryBackend) -> None:
    memory.gives_qr = False
    task, shows = await running(wavigil, "pair", "unpaired-1")
    async with asyncio.timeout(20):
        while len(memory.waits) < 2:  # noqa: ASYNC110  # the backend has no event
            await asyncio.sleep(0.01)
    memory.gives_qr = True
    await shows(lambda text: "Link a device" in text)
    memory.scan("unpaired-1")
    assert (await task).status == 0


async def test_pair_what_is_paired_or_unknown(wavigil: Shell) -> None:
    paired = await wavigil("pair", "opens-1")
    assert paired.status == 1
    assert "already" in paired.err
    unknown = await wavigil("pair", "nobody")
    assert unknown.status == 1
    assert "wavigil sessions add nobody" in unknown.err


async def test_pair_ends_cleanly_on_ctrl_c(config: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "daemon.cli", "pair", "unpaired-1",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert b"Link a device" in await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode() == "wavigil: left before it was paired\n  Go on with: wavigil pair unpaired-1\n"


async def test_pair_gives_up(wavigil: Shell) -> None:
    result = await wavigil("pair", "unpaired-1", "--timeout", "1")
    assert result.status == 1
    assert "nobody scanned" in result.err
