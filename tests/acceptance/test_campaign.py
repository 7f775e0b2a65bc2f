"""A short campaign of troubles on a daemon: each is noticed and healed, or rests as planned, and nobody else suffers.

What the daemon stored is judged against what was done, see `tests/bench/campaign/judge.py`.  The bounds on times are
the bench's (`python -m tests.bench.recovery`), which has a machine of its own: a test does not.
"""

import random
from pathlib import Path

import pytest

from tests.bench.campaign.campaign import Campaign, Size
from tests.bench.campaign.drill import placement
from tests.bench.campaign.judge import judge
from tests.bench.campaign.kinds import KINDS, OUTAGE, Kind
from tests.bench.recovery import configuration, watched
from tests.fixtures_daemon import running_daemon

pytestmark = pytest.mark.acceptance

SEED = 20261127
SESSIONS = [f"s-{number:02d}" for number in range(20)]
KILLED = {"kill-session-actor", "kill-connector", "kill-recovery", "kill-vault"}
SHY = {"dial-403", "dial-429"}
"""Waits for ten seconds and more before it tries again."""
QUICK = Size(
    per_kind=1, rate=8.0, rest=0.0, seconds=150.0, hold=2.0, outage=0.0, shard_kills_at_once=1, service_pause=2.0
)
LONG = Size(per_kind=20, rate=6.0, seconds=1200.0, warm_up=60.0)


def short(kind: Kind) -> bool:
    """Whether it is soon over, and no other acceptance test is about it."""
    slow = kind.listens or kind.sends or kind.after == "few_tries" or kind.name in SHY
    return not slow and (kind.scope == "session" or kind.name in KILLED)


@pytest.mark.parametrize("size", [QUICK, pytest.param(LONG, marks=pytest.mark.full)], ids=["short", "long"])
@pytest.mark.timeout(3600)
async def test_each_trouble_is_noticed_and_healed_and_nobody_else_suffers(short_tmp: Path, size: Size) -> None:
    config = configuration(SESSIONS, "simulator", None, None)
    config["connectors"]["simulator"] = {"heartbeat": "1s", "heartbeat_timeout": "900ms"}
    kinds = [kind for kind in KINDS if size is LONG or short(kind)]
    async with running_daemon(short_tmp, config) as daemon, watched(daemon, SESSIONS, None) as (world, watch):
        shards = placement(daemon.state_dir)
        play = Campaign(daemon, world, watch, shards, random.Random(SEED), kinds, size)
        await play.run()
        tallies, healthy = judge(play.seen(), play.began, play.ended)
    problems = [problem for tally in (*tallies.values(), healthy) for problem in tally.problems]
    assert [problem for problem in problems if "noticed after" not in problem] == []
    assert set(tallies) == {kind.name for kind in kinds} | ({OUTAGE.name} if size.outage else set())
    assert not watch.gaps
    assert not play.skipped
