"""What a connector host has for its processes, without the actor around it."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from actors.connectors.host.confirm import Confirmer
from actors.connectors.host.connectors import Connectors
from actors.connectors.host.launch import Place
from actors.connectors.link_events import LinkEvent, PhaseChanged
from actors.settings import Settings, settings_from
from config.schema import Config

NAME = "shard-0"
PLACE = Place("external", 1)
PROGRAM = f"""\
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import runpy
runpy.run_module('tests.contract.wrong', run_name='__main__')
"""
"""The connector: ``tests/contract/wrong.py``, which does what its options say."""


class Host:
    """Of one session, ``s``; ``options`` are those of its connector."""

    intensity = (5, 10)
    """Restarts, and within how many seconds."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.program = folder / "connector.py"
        self.program.write_text(PROGRAM)
        self.options = options
        self.phases: list[str] = []
        """What was told of the session."""
        self.lost: list[str] = []
        """Why its present process was lost, each time."""
        self.tasks: set[asyncio.Task[Any]] = set()
        self.connectors = Connectors(
            self.settings(),
            NAME,
            PLACE,
            knows=lambda session: session == "s",
            on_event=self._hear,
            on_fault=lambda _fault: None,
            on_lost=self._lose,
            spawn=self.spawn,
        )

    def command(self, *words: str) -> list[str]:
        """The command line of its connector."""
        return [sys.executable, str(self.program), *words]

    def settings(self) -> Settings:
        """Those of its host."""
        return self.settings_with()

    def settings_with(self, **external: Any) -> Settings:
        """With ``external`` of ``connectors.external`` beside what it usually has."""
        restarts, period = self.intensity
        values = {
            "state_dir": str(self.folder),
            "connectors": {"external": {"command": self.command(), "options": self.options, **external}},
            "supervision": {
                "heartbeat": 0.5,
                "heartbeat_timeout": 10.0,
                "tick": 0.1,
                "intensity": {"restarts": restarts, "period": period},
            },
        }
        return settings_from(Config.model_validate(values), None)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str = "") -> asyncio.Task[Any]:
        """Work that ends with it."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def _hear(self, event: LinkEvent, _confirmer: Confirmer) -> None:
        assert isinstance(event, PhaseChanged)
        self.phases.append(str(event.phase))

    async def _lose(self, why: str) -> None:
        self.lost.append(why)

    async def start(self) -> None:
        """A present process is there, or another one."""
        await self.connectors.present(await self.connectors.start(threads=True))

    async def close(self) -> None:
        """Ends all."""
        await self.connectors.stop()
        while self.tasks:
            for task in self.tasks:
                task.cancel()
            await asyncio.wait(self.tasks, timeout=0.1)
