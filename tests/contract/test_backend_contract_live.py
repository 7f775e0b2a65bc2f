"""The contract of the backend held against the real one: LiveBackend here, the actors in a process tree."""

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from actors.settings import settings_from
from actors.store.engine import open_writer
from config.loader import Loaded, check
from daemon.backend import Backend, SessionRecord
from daemon.chain import Chain
from daemon.fleet import Fleet
from daemon.live_backend import LiveBackend
from tests.contract.backend_contract import BackendContract, BackendFactory
from tests.memory_backend import Behaviour

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
BEHAVIOURS: dict[Behaviour, str] = {
    "opens": "{paired: true}",
    "unpaired": "{paired: false}",
    "locked": "{paired: true, script: [{fault: forbidden, after: 300ms}]}",
}
STARTED = {"opens": "open", "unpaired": "pairing", "locked": "blocked"}
_versions = itertools.count(1_000, 1_000)


class System:
    """An actor system; it is started afresh when a test left its sessions otherwise than it found them."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def start(self, sessions: Sequence[tuple[SessionRecord, Behaviour]]) -> None:
        """The sessions stand in lines 3, 4, … of the configuration, as their records say."""
        self._folder = tempfile.TemporaryDirectory(prefix="wv", dir="/tmp")
        lines = [f"state_dir: {self._folder.name}", "sessions:"]
        for record, behaviour in sessions:
            labels = "{" + ", ".join(f"{k}: {v}" for k, v in record.labels.items()) + "}"
            own = BEHAVIOURS[behaviour]
            lines.append(f"  - {{id: {record.id}, connector: simulator, labels: {labels}, simulator: {own}}}")
        lines += ["supervision: {heartbeat: 200ms, tick: 100ms}", ""]
        (self.folder / "wavigil.yaml").write_text("\n".join(lines))
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.contract.actor_system", str(self.folder / "wavigil.yaml")],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", (self.folder / "log").read_text()

    @property
    def folder(self) -> Path:
        """Its state directory."""
        assert self._folder is not None
        return Path(self._folder.name)

    @property
    def runs(self) -> bool:
        """Whether it was started."""
        return self._process is not None

    def stop(self) -> None:
        """Ends it, if it runs."""
        if self._process is not None:
            self._process.communicate(timeout=20)
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    system = System()
    with ExitStack() as stack:
        stack.callback(system.stop)
        yield system


class TestLiveBackend(BackendContract):
    @pytest_asyncio.fixture
    async def backend_factory(self, system: System, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BackendFactory]:
        opened: list[Any] = []
        wanted: dict[str, str] = {}

        async def make(sessions: Sequence[tuple[SessionRecord, Behaviour]]) -> Backend:
            if not system.runs:
                system.start(sessions)
            wanted.update({record.id: STARTED[behaviour] for record, behaviour in sessions})
            monkeypatch.chdir(system.folder)
            loaded: Loaded = check(Path("wavigil.yaml"))
            settings = settings_from(loaded.config, None)
            database = await open_writer(settings.database("api"))
            fleet = Fleet(loaded, settings, database)
            await fleet.load()
            fleet._version = next(_versions)  # the actors outlive this main, which in life they never do
            backend = LiveBackend(settings, fleet, database, Chain(os.getpid()))
            await backend.open()
            opened.extend((backend, database))
            return backend

        yield make
        if opened:
            backend, database = opened
            as_found = {id: backend.live(id).state for id in backend.records()} == wanted
            await backend.close()
            await database.close()
            if not as_found:
                monkeypatch.undo()
                os.chdir(ROOT)
                system.stop()
