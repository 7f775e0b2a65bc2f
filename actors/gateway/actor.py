"""The gateway actor: serves main's socket, passes requests to the actors and their news to main."""

import asyncio
import itertools
import time
from typing import Any

from thespian.actors import ActorAddress

from actors.gateway.protocol import COMMAND_DEADLINE, plan_from_wire
from actors.gateway.tree import TreeReader
from actors.messages.plans import FleetPlan
from actors.messages.services import Command, CommandResult, HealthDelta, Hint, SendsWaiting
from actors.messages.supervision import TreeAnswer
from actors.runtime import rpc
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, RemoteError
from actors.runtime.worker import Worker
from actors.settings import SOCKET_GATEWAY, Settings, host_name

VIEWS_A_FRAME = 500
"""Views of sessions pushed at once: those of a whole large fleet are more than a frame may hold."""


class Gateway(Worker):
    """Holds no state that matters: after a restart main connects again and says what it wants."""

    async def on_init(self, args: Settings) -> None:
        self._links: set[Link] = set()
        self._shard_of: dict[str, int] = {}
        self._plan: FleetPlan | None = None
        self._ids = itertools.count(int(time.time() * 1000))  # answers to an earlier gateway match nothing
        self._commands: dict[int, asyncio.Future[CommandResult]] = {}
        self._tree = TreeReader(self.post)
        self._server = await rpc.serve(args.socket(SOCKET_GATEWAY), self._accept)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, writer, self._request)
        self._links.add(link)
        await link.closed.wait()
        self._links.discard(link)

    def _push(self, event: str, **fields: Any) -> None:
        for link in self._links:
            link.event(event, **fields)

    async def on_message(self, message: Any, sender: ActorAddress) -> None:
        """News of the actors."""
        if isinstance(message, Hint):
            self._push("hint", source=message.source, upto=message.upto)
        elif isinstance(message, HealthDelta):
            views = [(session, dict(view)) for session, view in message.views.items()]
            for start in range(0, len(views), VIEWS_A_FRAME):
                self._push("health", views=dict(views[start : start + VIEWS_A_FRAME]))
        elif isinstance(message, CommandResult):
            future = self._commands.pop(message.correlation, None)
            if future is not None and not future.done():
                future.set_result(message)
        elif isinstance(message, TreeAnswer):
            self._tree.answered(message)

    async def on_directory(self, directory: Any) -> None:
        """The tree may have started afresh below: it is told the plan again."""
        if self._plan is not None:
            self.tell("root", self._plan)

    async def _request(self, link: Link, frame: Frame) -> Any:
        name = frame["cmd"]
        if name == "command":
            return await self._command(frame)
        if name == "sends":
            self._sends(frame)
            return {}
        if name == "plan":
            self._take_plan(plan_from_wire(frame))
            return {}
        if name == "tree":
            root = self.directory.addresses.get("root")
            if root is None:
                raise RemoteError("unavailable", "the tree is starting")
            return await self._tree.read(root, memory=frame.get("memory", False))
        raise RemoteError("unknown_command", f"no such request: {name!r}")

    def _take_plan(self, plan: FleetPlan) -> None:
        self._plan = plan
        self._shard_of = {s.id: shard for shard, sessions in plan.shards.items() for s in sessions}
        self.tell("root", plan)

    async def _command(self, frame: Frame) -> Any:
        session = frame["session"]
        shard = self._shard_of.get(session)
        if shard is None:
            raise RemoteError("unknown_session", f"no session {session!r}")
        correlation = next(self._ids)
        future: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        self._commands[correlation] = future
        command = Command(correlation, session, frame["name"], frame["args"], self.myAddress)
        try:
            # what recovery is forced to do has to be in its ledger first
            to = "recovery" if command.name == "force" else host_name(shard)
            if not self.tell(to, command):
                raise RemoteError("unavailable", f"{to} is starting")
            async with asyncio.timeout(frame.get("patience", COMMAND_DEADLINE)):
                result = await future
        except TimeoutError:
            raise RemoteError("timeout", f"{session} did not answer in time") from None
        finally:
            self._commands.pop(correlation, None)
        if result.error is not None:
            raise RemoteError(*result.error)
        return result.ok

    def _sends(self, frame: Frame) -> None:
        shards = {self._shard_of[s] for s in frame["sessions"] if s in self._shard_of}
        for shard in shards:
            self.tell(host_name(shard), SendsWaiting(frame["upto"]))
