"""The rhythm that a campaign gives to its listeners: a silence of some minutes is unusual by it."""

import random
from datetime import UTC

from actors.health.canary import SUSPICIOUS
from actors.health.rhythm import Rhythm, no_shares
from tests.bench.campaign.habits import lively

NOW = 1_800_000_000.0


def test_a_lively_session_is_soon_missed_and_a_young_one_is_not() -> None:
    learned = Rhythm.load(lively(NOW, random.Random(1)).dump())
    assert learned.silence(NOW - 360, NOW, UTC, no_shares()) < SUSPICIOUS
    assert Rhythm(NOW).silence(NOW - 360, NOW, UTC, no_shares()) == 1.0
