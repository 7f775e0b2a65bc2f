"""Main's view of the supervision tree."""

import asyncio
import contextlib
from typing import Any

from daemon.accounts import LiveAccounts
from daemon.backend import BackendError
from daemon.chain import Chain
from daemon.gateway_client import GatewayClient

PERIOD = 5.0
"""Seconds between looks for the metrics."""


class SupervisionView:
    """Reads the tree through the gateway, and adds what is above it."""

    def __init__(self, gateway: GatewayClient, accounts: LiveAccounts, chain: Chain) -> None:
        self._gateway = gateway
        self._accounts = accounts
        self._chain = chain
        self.last: dict[str, Any] | None = None
        """The tree as read last."""

    async def read(self, *, memory: bool) -> dict[str, Any]:
        """The tree as of now; ``memory`` has /proc read for each process.  Raises BackendError."""
        tree: dict[str, Any] = await self._gateway.request("tree", memory=memory)
        self._chain.tell_root(tree)
        tree["above"] = self._chain.above(memory=memory)
        self.last = tree
        return tree

    async def watch(self) -> None:
        """For the metrics, and for the counts of what healed by itself."""
        while True:
            with contextlib.suppress(BackendError):
                await self._accounts.take_tree(await self.read(memory=False))
            await asyncio.sleep(PERIOD)
