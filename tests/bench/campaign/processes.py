"""Kills processes of a daemon by their place in the tree, and looks when others have taken their places."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import aiohttp

from tests.bench.campaign.kinds import Kind
from tests.bench.campaign.truth import Ended
from tests.fixtures_daemon import Daemon

LOOK_S = 0.5
Tree = dict[str, Any]


def nodes(tree: Tree) -> Iterator[Tree]:
    """A tree, node by node."""
    yield tree
    for child in tree["children"]:
        yield from nodes(child)


def find(tree: Tree, kind: Kind, target: str) -> Tree | None:
    """The node that a kill is for: ``target`` is a session, a shard, or empty for a service."""
    if kind.scope == "shard":
        shard = next((node for node in nodes(tree) if node["id"] == target), None)
        if shard is None or kind.node == "shard":
            return shard
        return next((node for node in nodes(shard) if node["kind"] == kind.node), None)
    wanted = kind.node if kind.scope == "service" else target
    return next((node for node in nodes(tree) if node["id"] == wanted), None)


class Processes:
    """One look at the tree serves all who wait for something in it."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._looking = asyncio.Lock()
        self._tree: Tree | None = None
        self._at = 0.0

    async def tree(self, newer_than: float) -> Tree | None:
        """The tree as of a moment after ``newer_than`` (monotonic); None while the daemon does not tell."""
        async with self._looking:
            if self._at <= newer_than:
                self._tree = None
                at = time.monotonic()
                with suppress(aiohttp.ClientError, AssertionError, RuntimeError):
                    status, tree = await self._daemon.call("GET", "/api/supervision")
                    if status == 200:
                        self._tree, self._at = tree, at
            return self._tree

    async def kill(self, kind: Kind, target: str, patience: float = 60.0) -> tuple[float, int] | None:
        """Kills the process; when, and which it was; None if there was none."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            tree = await self.tree(time.monotonic())
            node = find(tree, kind, target) if tree else None
            if node is not None and node["pid"] and node["state"] == "running":
                at = time.time()
                with suppress(ProcessLookupError):
                    os.kill(node["pid"], signal.SIGKILL)
                    return at, int(node["pid"])
            await asyncio.sleep(LOOK_S)
        return None

    async def back(self, number: int, kind: Kind, target: str, struck: tuple[float, int], patience: float) -> Ended:
        """Waits until another process runs in that place, and says when the end of the old one was noticed."""
        at, pid = struck
        end = time.monotonic() + patience
        noticed = None
        while time.monotonic() < end:
            tree = await self.tree(time.monotonic() - LOOK_S / 2)
            node = find(tree, kind, target) if tree else None
            if node is not None:
                noticed = noticed or _noticed(node, at)
                if node["pid"] not in {None, pid} and node["state"] == "running":
                    now = time.time()
                    back = max(at, now - (node["uptimeSeconds"] or 0.0))
                    return Ended(number, noticed, back)
            await asyncio.sleep(LOOK_S)
        return Ended(number, noticed, None)


def _noticed(node: Tree, at: float) -> float | None:
    last = node["lastExit"]
    if last is None:
        return None
    when = datetime.fromisoformat(last["at"]).timestamp()
    return when if when >= at - 0.01 else None
