"""The command line against the API over the in-memory backend."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.api import Role
from daemon.cli import main, pair
from tests.fixtures_api import TOKENS, CheckedClient


@dataclass
class Result:
    status: int
    out: str
    err: str


class Shell:
    """Runs commands in this process, in a thread: the daemon they talk to runs in the event loop."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    async def __call__(self, *arguments: str) -> Result:
        self._monkeypatch.setattr(sys, "argv", ["wavigil", *arguments])
        self._capsys.readouterr()
        status = await asyncio.to_thread(self._run)
        captured = self._capsys.readouterr()
        return Result(status, captured.out, captured.err)

    @staticmethod
    def _run() -> int:
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    def out(self) -> str:
        """What was written since the last look, while a command runs."""
        return self._capsys.readouterr().out


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory, and an environment without anything of wavigil."""
    for name in ("WAVIGIL_URL", "WAVIGIL_TOKEN", "WAVIGIL_CONFIG", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def config(state: Path, api: CheckedClient, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration that the daemon behind ``api`` would have."""
    path = state / "wavigil.yaml"
    path.write_text(f"state_dir: {state}\nhttp: {{listen: '127.0.0.1:{api.raw.port}'}}\n")
    (state / "admin.token").write_text(TOKENS[Role.ADMIN] + "\n")
    monkeypatch.setenv("WAVIGIL_CONFIG", str(path))
    return path


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, state: Path) -> Shell:
    monkeypatch.setattr(pair, "POLL_SECONDS", 0.01)
    return Shell(capsys, monkeypatch)


@pytest.fixture
def wavigil(shell: Shell, config: Path) -> Shell:
    """Commands that find their daemon."""
    return shell
