"""Four weeks of learning, then a week that counts: no healthy session is called faulty, and deaf ones are noticed."""

from zoneinfo import ZoneInfo

import pytest

from actors.health.canary import Outcome, Policy
from tests.unit.health.weeks import Found, Weeks

POLICY = Policy(enabled=True)
TEN_MINUTES = 600.0


def well(found: Found) -> None:
    """Nobody healthy was touched, and the operator's budget was kept."""
    assert found.faults == []
    assert found.most_sent <= POLICY.daily_budget
    assert found.canaries[Outcome.ARRIVED] > 0


def in_time(found: Found) -> None:
    """Nobody was or is deaf for longer than is promised."""
    assert max(found.delays["lively"] + found.waits["lively"], default=0.0) < TEN_MINUTES
    assert max(found.delays["other"] + found.waits["other"], default=0.0) <= POLICY.interval


@pytest.mark.timeout(300)
def test_no_healthy_session_is_called_deaf_small() -> None:
    weeks = Weeks(1, 6, POLICY)
    weeks.warm_up()
    found = weeks.score(days=4)
    well(found)
    assert found.unusual > 0, "the holiday is unusual, and no more than that"


@pytest.mark.timeout(300)
def test_the_deaf_are_noticed_in_time_small() -> None:
    weeks = Weeks(2, 6, POLICY)
    weeks.warm_up(14)
    found = weeks.score(days=1, deaf_every=5400.0)
    assert found.faults == []
    assert len(found.delays["lively"]) + len(found.delays["other"]) >= 6
    in_time(found)


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("seed", "zone", "shift"),
    [(1, "UTC", False), (2, "UTC", True), (3, "Europe/Berlin", False)],
    ids=["plain", "clocks move", "zone"],
)
def test_no_healthy_session_is_called_deaf(seed: int, zone: str, shift: bool) -> None:
    weeks = Weeks(seed, 200, POLICY, ZoneInfo(zone), shift=shift)
    weeks.warm_up()
    found = weeks.score()
    well(found)
    assert found.canaries[Outcome.MISSED] > 0, "some were lost, and it did no harm"


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [4, 5])
def test_the_deaf_are_noticed_in_time(seed: int) -> None:
    weeks = Weeks(seed, 100, POLICY)
    weeks.warm_up()
    found = weeks.score(days=7, deaf_every=600.0)
    assert found.faults == []
    assert len(found.delays["lively"]) >= 20
    in_time(found)
