"""The rhythm that a campaign gives to its listeners: a silence of some minutes is unusual by it."""

import random
from datetime import UTC

import pytest

from actors.health.canary import SUSPICIOUS
from actors.health.rhythm import Rhythm, hour_of_week, no_shares
from tests.bench.campaign.habits import BUSY, lively

HOUR = 1_800_000_000.0


@pytest.mark.parametrize("minute", [0, 7, 59])
def test_a_lively_session_is_soon_missed_and_a_young_one_is_not(minute: int) -> None:
    now = HOUR + 60 * minute
    learned = Rhythm.load(lively(now, random.Random(1)).dump())
    assert learned.share(hour_of_week(int(now // 3600), UTC)) == pytest.approx(BUSY, abs=0.1)
    assert learned.silence(now - 480, now, UTC, no_shares()) < SUSPICIOUS
    assert Rhythm(now).silence(now - 480, now, UTC, no_shares()) == 1.0
