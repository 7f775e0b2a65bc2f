"""Following the plans of a shard: which sessions it has, how they are to run, and what a reload changed."""

import asyncio

from actors.connectors.host import launch
from actors.connectors.host.args import HostArgs
from actors.connectors.host.connectors import Connectors
from actors.connectors.host.parts import Parts
from actors.messages.plans import ShardPlan
from actors.runtime import logs


class Plans:
    """Hands each plan on to the ``parts`` that it concerns."""

    def __init__(self, args: HostArgs, parts: Parts, connectors: Connectors) -> None:
        self._connector = args.connector
        self._settings = args.settings
        self._parts = parts
        self._connectors = connectors
        self._following = asyncio.Lock()

    async def follow(self, plan: ShardPlan) -> None:
        """One after the other, in their order."""
        async with self._following:
            await self._follow(plan)

    async def _follow(self, plan: ShardPlan) -> None:
        parts, roster = self._parts, self._parts.roster
        parts.news.replan()
        parts.notices.plan(plan.sessions)
        parts.healing.tell_pauses()
        await self._forget_gone()
        await parts.upkeep.leave(roster.leavers())
        parts.sends.judge(roster.refusing())
        settings = self._settings = self._settings.tuned(plan.tuning)
        another_client = parts.clients.use(settings)
        logs.set_level(settings.log_level)
        parts.upkeep.use(settings)
        parts.sends.use(settings.ack_timeout)
        parts.succession.use(settings)
        parts.gate.use(*launch.bounds_on_connects(settings, self._connector), plan.share, roster.running())
        await self._connectors.use(settings, plan.share)
        parts.clients.presented()
        if another_client:
            parts.clients.retry()

    async def _forget_gone(self) -> None:
        parts = self._parts
        gone = await parts.upkeep.forget_gone()
        for session in gone:
            parts.roster.forget(session)
            self._connectors.forget(session)
            parts.gate.forget(session)
        parts.transitions.forget(gone)
        parts.outdated.forget(gone)
        parts.sends.forget(gone)

    async def end(self) -> None:
        """Follows the plan that no longer comes: the last session of a shard is removed by stopping the shard."""
        async with self._following:
            for session in await self._parts.upkeep.forget_gone():
                self._parts.roster.forget(session)
            await self._parts.upkeep.leave(self._parts.roster.leavers())
