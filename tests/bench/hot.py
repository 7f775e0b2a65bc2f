"""Observes what session actors run, and writes it to ``actors/runtime/hot_*.txt`` (see ``actors/runtime/image.py``).

    python -m tests.bench.hot

Runs a daemon of a few simulated sessions for a minute and a half, with faults and a command; each actor tells at its
end which functions it ran.  To be repeated when what sessions do has changed much: lists that are out of date cost
memory, nothing else.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest import mock

from actors.runtime import image
from tests import fixtures_daemon
from tests.bench.fleet import until_open
from tests.bench.machine import end_on_sigterm
from tests.fixtures_daemon import Daemon

SESSIONS = 4
LENGTH = 90.0
"""Seconds; sessions measure their memory for the first time after 80 at the latest."""
OBSERVED = "WAVIGIL_OBSERVED"
"""Environment variable: the directory for what the processes tell."""


def names_of(code: CodeType) -> Iterator[str]:
    """The strings of a piece of code that are interned: names, and constants that look like one."""

    def strings(values: Iterable[Any]) -> Iterator[str]:
        for value in values:
            if isinstance(value, str):
                yield value
            elif isinstance(value, tuple | frozenset):
                yield from strings(value)
            elif isinstance(value, CodeType):
                yield from names_of(value)

    found = (code.co_name, code.co_names, code.co_consts, code.co_varnames, code.co_freevars, code.co_cellvars)
    for each in strings(found):
        if len(each) > 1 and sys.intern(each[:1] + each[1:]) is each:
            yield each


def observe(directory: Path) -> None:
    """From now on each fork writes the functions that it ran, and their names, when it ends by itself."""
    seen: dict[CodeType, str] = {}
    leave = os._exit

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code not in seen:
            seen[frame.f_code] = frame.f_globals.get("__name__", "")

    def begin() -> None:
        seen.clear()
        sys.setprofile(note)

    def end(status: int) -> None:
        sys.setprofile(None)
        told = {
            "process": Path("/proc/self/comm").read_text("utf-8").strip(),
            "functions": [f"{module} {code.co_qualname}" for code, module in seen.items()],
            "names": sorted({name for code in seen for name in names_of(code)}),
        }
        (directory / str(os.getpid())).write_text(json.dumps(told), "utf-8")
        leave(status)

    os.register_at_fork(after_in_child=begin)
    os._exit = end  # type: ignore[assignment]


async def run(directory: Path, told: Path) -> None:
    """A daemon with sessions that see some trouble."""
    script = [{"after": "10s", "fault": "unavailable", "for": "3s"}]
    sessions = [{"id": f"s-{n}", "connector": "simulator", "simulator": {"script": script}} for n in range(SESSIONS)]
    daemon = Daemon(directory, {"sessions": sessions})
    command = [sys.executable, "-m", "tests.bench.hot"]
    with mock.patch.dict(os.environ, {OBSERVED: str(told)}), mock.patch.object(fixtures_daemon, "COMMAND", command):
        try:
            await daemon.start()
            await until_open(daemon, SESSIONS, 60)
            await asyncio.sleep(LENGTH)  # a stretch of a session's life
            await daemon.call("POST", "/api/whatsapp-status/s-0/reconnect")
            await until_open(daemon, SESSIONS, 60)
            await daemon.stop()
        finally:
            await daemon.destroy()


def write(told: Path) -> None:
    """The lists: what sessions use, then what their supervisors do, whose pages they inherit, then what hosts do."""
    found = [json.loads(file.read_text("utf-8")) for file in told.iterdir()]
    home = Path(image.__file__).parent
    for kind in ("functions", "names"):
        ordered: dict[str, None] = {}
        for process in ("wv:s-", "wv:shard-", "wv:host"):
            those = {each for one in found if one["process"].startswith(process) for each in one[kind]}
            ordered |= dict.fromkeys(sorted(each for each in those if each.isprintable() and not left_out(each)))
        print(f"{len(ordered)} {kind} of {len(found)} processes")
        (home / f"hot_{kind}.txt").write_text("".join(f"{each}\n" for each in ordered), "utf-8")


def left_out(entry: str) -> bool:
    """Whether a function is of this module, or of none, and so cannot be found again."""
    return entry.startswith(("tests.", "__main__ ", " "))


if __name__ == "__main__":
    if OBSERVED in os.environ:
        from daemon.cli import main

        observe(Path(os.environ[OBSERVED]))
        main()
        sys.exit()
    end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="wv") as here, tempfile.TemporaryDirectory(prefix="wv") as there:
        asyncio.run(run(Path(here), Path(there)))
        write(Path(there))
