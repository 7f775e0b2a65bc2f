"""Reading the supervision tree: each supervisor describes its own children, the gateway puts the answers together."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress

from actors.gateway.protocol import TREE_DEADLINE
from actors.messages.supervision import TreeAnswer, TreeQuery
from actors.supervision import describe

LIVE = frozenset({"mailboxAgeSeconds", "droppedMessages", "pssBytes"})
"""What a supervisor knows of itself better than its own supervisor does, from its last heartbeat."""


class TreeReader:
    """Asks from the root down; no supervisor ever waits for another."""

    def __init__(self, post: Callable[[ActorAddress, Any], None]) -> None:
        self._post = post
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[TreeAnswer]] = {}

    def answered(self, answer: TreeAnswer) -> None:
        """A supervisor's description arrived."""
        future = self._waiting.pop(answer.correlation, None)
        if future is not None and not future.done():
            future.set_result(answer)

    async def read(self, root: ActorAddress, *, memory: bool) -> dict[str, Any]:
        """The whole tree as the API shows it; a supervisor that does not answer in time is ``unresponsive``."""
        node = describe.node("root", "supervisor", None, "running", memory=False)
        answer = await self._fill(node, root, memory=memory)
        node["restartsByKind"] = None if answer is None else dict(answer.restarts)
        return node

    async def _fill(self, node: dict[str, Any], address: ActorAddress, *, memory: bool) -> TreeAnswer | None:
        correlation = next(self._ids)
        future: asyncio.Future[TreeAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[correlation] = future
        self._post(address, TreeQuery(correlation, memory))
        try:
            async with asyncio.timeout(TREE_DEADLINE):
                answer = await future
        except TimeoutError:
            node["state"] = "unresponsive"
            return None
        finally:
            self._waiting.pop(correlation, None)
        below = []
        for name, value in answer.itself.items():
            if name in LIVE or node[name] is None:  # the root has no supervisor that told of it
                node[name] = value
        for child in answer.children:
            described = dict(child)
            supervisor = described.pop("address", None)
            node["children"].append(described)
            if supervisor is not None:
                below.append(self._fill(described, supervisor, memory=memory))
        await asyncio.gather(*below)
        return answer
