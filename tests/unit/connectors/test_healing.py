"""What the host tells recovery of pauses."""

import math
from typing import Any

from actors.connectors.host.healing import Healing
from actors.connectors.host.roster import Roster
from actors.messages.plans import SessionPlan
from actors.messages.services import ShardPauses

UNUSED: Any = None


def test_a_fresh_host_tells_that_nobody_is_paused_any_more() -> None:
    told: list[ShardPauses] = []
    reachable = False

    def tell(name: str, message: ShardPauses) -> bool:
        assert name == "recovery"
        if reachable:
            told.append(message)
        return reachable

    def healing(until: float | None) -> Healing:
        roster = Roster({})
        roster.plan([SessionPlan("a", "simulator", enabled=True, paused_until=until)])
        return Healing(UNUSED, UNUSED, roster, UNUSED, UNUSED, UNUSED, tell, "shard-0")

    healing(math.inf).tell_pauses()
    assert told == []
    reachable = True
    healing(math.inf).tell_pauses()
    after_a_crash = healing(None)  # the pause ended meanwhile
    for again in (False, False, True):
        after_a_crash.tell_pauses(again=again)
    assert [message.until for message in told] == [{"a": math.inf}, {}]
