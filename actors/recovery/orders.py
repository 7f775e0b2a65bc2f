"""Orders of the recovery actor to sessions, by way of their hosts, and the answers to them."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress

from actors.messages import Command, CommandResult
from actors.recovery.decide import Decision
from actors.recovery.strategies import Strategy

KEPT = 1000
"""Orders whose answer is awaited; an answer to an older one changes nothing."""


class Orders:
    """``tell`` sends to a named actor, and says whether there is one."""

    def __init__(self, tell: Callable[[str, Any], bool], reply_to: ActorAddress) -> None:
        self._tell = tell
        self._reply_to = reply_to
        self._ids = itertools.count(int(time.time() * 1000))
        self._given: dict[int, str] = {}

    def give(self, session: str, shard: str, decision: Decision) -> bool:
        """Whether there was somebody to give it to."""
        id, strategy = next(self._ids), decision.strategy
        what = Strategy.RECONNECT if strategy is Strategy.SLOW_LANE else strategy
        args = {"cause": decision.facts.get("cause"), "strategy": str(what)}
        self._given[id] = session
        if len(self._given) > KEPT:
            del self._given[next(iter(self._given))]
        return self._tell(f"{shard}/host", Command(id, session, "heal", args, self._reply_to))

    def refused(self, result: CommandResult) -> str | None:
        """The session whose order was refused; None if it was taken, or is not known."""
        session = self._given.pop(result.correlation, None)
        return session if result.error is not None else None
