"""What operators see and steer of recovery, over HTTP."""

import time
from dataclasses import replace
from typing import Any

import pytest

from actors.store.records import Action, Episode
from daemon.api import Role
from tests.fixtures_api import CheckedClient
from tests.memory_backend import MemoryBackend

pytestmark = pytest.mark.integration

PAUSES = "/api/recovery/pauses"
EPISODES = "/api/recovery/episodes"


async def test_the_life_of_a_pause(api: CheckedClient, memory: MemoryBackend) -> None:
    made = await api("POST", PAUSES, Role.OPERATOR, json={"labels": {"team": "a"}, "for": "2h", "reason": "new proxy"})
    assert made.status == 201
    assert (made.json["labels"], made.json["sessions"], made.json["who"]) == ({"team": "a"}, 2, "operator")
    assert (await api("GET", made.headers["Location"], Role.VIEWER)).json == made.json
    everything = await api("POST", PAUSES, json={"all": True})
    assert (everything.json["all"], everything.json["until"], everything.json["sessions"]) == (True, None, 3)
    assert (await api("GET", PAUSES, Role.VIEWER)).json == {"pauses": [made.json, everything.json]}
    status = (await api("GET", "/api/whatsapp-status/opens-1")).json
    assert status["status"] == "connected"
    assert status["statusMetadata"]["recoveryPaused"] == {
        "until": None,
        "reason": "new proxy",
        "pauses": [1, 2],
        "waits": False,
    }
    for place in (made.headers["Location"], everything.headers["Location"]):
        assert (await api("DELETE", place, Role.OPERATOR)).status == 204
        assert (await api("DELETE", place)).json["type"] == "/problems/unknown_pause"
        assert (await api("GET", place)).status == 404
    page = (await api("GET", "/api/whatsapp-status/bulk")).json
    assert all(one["statusMetadata"]["recoveryPaused"] is None for one in page["sessions"])
    entries = [(e.action, e.target, e.outcome) for e in memory.accounts.trail.entries if e.outcome == "done"]
    assert entries == [("recovery.pause", "-", "done")] * 2 + [("recovery.resume", "-", "done")] * 2
    assert memory.accounts.trail.entries[0].detail["reason"] == "new proxy"
    assert memory.accounts.trail.entries[0].detail["pause"] == 1


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({}, "exactly one of"),
        ({"labels": {}}, "exactly one of"),
        ({"sessionId": "opens-1", "all": True}, "exactly one of"),
        ({"all": False}, "True"),
        ({"all": True, "for": "1h", "until": "2099-01-01T00:00:00Z"}, "exclude each other"),
        ({"all": True, "for": "0s"}, "a pause lasts from 1s"),
        ({"all": True, "for": "367d"}, "a pause lasts from 1s"),
        ({"all": True, "for": 3600}, "a pause lasts from 1s"),
        ({"all": True, "until": "2099-01-01"}, "a time is written"),
        ({"all": True, "reason": "x" * 501}, "500"),
        ({"all": True, "reason": "two\nlines"}, "pattern"),
        ({"sessionId": "+15550100189"}, "session id"),
        ({"labels": {"team": "x" * 10_000}}, "label"),
        ({"all": True, "pause": 1}, "unknown"),
    ],
)
async def test_what_is_no_pause_is_refused(api: CheckedClient, body: dict[str, Any], what: str) -> None:
    answer = await api("POST", PAUSES, json=body)
    assert answer.status == 422
    assert what in " ".join(error["detail"] for error in answer.json["errors"])
    assert (await api("GET", PAUSES)).json == {"pauses": []}


async def test_wrong_ids_and_an_end_that_is_over(api: CheckedClient, memory: MemoryBackend) -> None:
    unknown = await api("POST", PAUSES, json={"sessionId": "nobody-1"})
    assert unknown.json["type"] == "/problems/unknown_session"
    past = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    assert (await api("POST", PAUSES, json={"all": True, "until": past})).json["type"] == "/problems/invalid"
    for id in ("0", "7", "x", "-1", "٣", "9" * 19, "1.0"):
        assert (await api("DELETE", f"{PAUSES}/{id}")).status == 404
    assert memory.accounts.trail.entries[0].target == "?"


async def test_an_oversize_body_is_refused(api: CheckedClient) -> None:
    answer = await api("POST", PAUSES, json={"all": True, "reason": "x" * 100_000})
    assert answer.json["type"] == "/problems/payload_too_large"


def healed(id: int, session: str, cause: str, began: float, took: float = 10.0, **data: Any) -> Episode:
    data = {"lastCause": cause, "failures": 2, **data}
    return Episode(id, session, cause, "reconnect", 7, began, began + took, "healed", data, began + 1.0, began + took)


@pytest.fixture
def ledger(memory: MemoryBackend) -> list[Episode]:
    """Of an hour, beside what the session with the locked account had: five healed, one under way."""
    now = time.time()
    found = [healed(id, "opens-1", "connection_lost", now - 1000.0 - id, 10.0 * id) for id in range(2, 6)]
    found.append(healed(6, "opens-1", "connection_lost", now - 900.0, 3600.0 * 24, held=True))
    found.append(Episode(7, "opens-1", "deaf", "restart", 11, now - 60.0, data={"lastCause": "deaf"}, detected_at=now))
    memory.recovery.ledger += found
    memory.recovery.actions.append(Action(9, 7, "opens-1", "deaf", now, "restart", {"rule": "climb", "because": "…"}))
    return found


async def test_episodes_come_newest_first_in_pages(api: CheckedClient, ledger: list[Episode]) -> None:
    first = (await api("GET", f"{EPISODES}?session=opens-1&limit=4", Role.VIEWER)).json
    assert [episode["id"] for episode in first["episodes"]] == [7, 6, 2, 3]
    ledger[0:0] = [healed(8, "opens-1", "connection_lost", time.time())]  # a new one shifts nothing
    second = (await api("GET", f"{EPISODES}?session=opens-1&limit=4&cursor={first['nextCursor']}")).json
    assert ([episode["id"] for episode in second["episodes"]], second["nextCursor"]) == ([4, 5], None)
    one = second["episodes"][0]
    assert (one["detectSeconds"], one["recoverSeconds"], one["held"]) == (1.0, 40.0, False)
    assert one["message"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("cause=deaf", [7]),
        ("open=true", [7]),
        ("open=false&cause=forbidden", [1]),
        ("outcome=healed&session=locked-1", []),
        ("outcome=halted", [1]),
        ("from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z", []),
        ("session=nobody-1", []),
    ],
)
async def test_filters(api: CheckedClient, ledger: list[Episode], query: str, ids: list[int]) -> None:
    assert [one["id"] for one in (await api("GET", f"{EPISODES}?{query}")).json["episodes"]] == ids
    assert ledger


@pytest.mark.parametrize(
    "query",
    ["outcome=good", "open=maybe", "cause=DROP TABLE", "from=today", "limit=0", "limit=1001", "cursor=x", "at=1"],
)
async def test_wrong_filters_are_refused(api: CheckedClient, query: str) -> None:
    assert (await api("GET", f"{EPISODES}?{query}")).status == 422


async def test_an_episode_shows_what_was_done_and_why(api: CheckedClient, ledger: list[Episode]) -> None:
    assert ledger
    found = (await api("GET", f"{EPISODES}/7", Role.VIEWER)).json
    assert (found["episode"]["endedAt"], found["episode"]["outcome"]) == (None, None)
    (action,) = found["actions"]
    assert (action["strategy"], action["why"]["rule"], action["outcome"]) == ("restart", "climb", None)
    for id in ("99", "x", "9" * 30):
        assert (await api("GET", f"{EPISODES}/{id}")).json["type"] == "/problems/unknown_episode"


async def test_the_summary(api: CheckedClient, memory: MemoryBackend, ledger: list[Episode]) -> None:
    assert ledger
    memory.recovery.ledger.append(replace(memory.recovery.ledger[0], id=20, cause="locked"))
    await api("POST", PAUSES, json={"labels": {"team": "a"}})
    found = (await api("GET", "/api/recovery/summary?window=90d", Role.VIEWER)).json
    assert (found["open"], found["openLoops"], found["pausedSessions"]) == (1, 2, 2)
    assert found["total"]["outcomes"] == {"halted": 2, "healed": 5}
    assert found["total"]["successRate"] == 0.8333  # what can't heal says nothing about how well is healed
    assert found["byCause"]["locked"]["successRate"] is None
    lost = found["byCause"]["connection_lost"]
    assert (lost["episodes"], lost["attempts"], lost["loops"], lost["successRate"]) == (5, 35, 5, 1.0)
    assert lost["timeToRecover"]["count"] == 4  # one was held up by a pause
    assert lost["timeToRecover"]["meanSeconds"] == 35.0
    assert lost["timeToRecover"]["p50Seconds"] == pytest.approx(30.0, rel=0.045)
    assert lost["timeToDetect"]["meanSeconds"] == 1.0
    assert set(found["byStrategy"]) == {"reconnect", "stop"}
    for window in ("30m", "91d", "1w", ""):
        assert (await api("GET", f"/api/recovery/summary?window={window}")).status == 422


async def test_a_forced_strategy_is_a_manual_intervention(api: CheckedClient, memory: MemoryBackend) -> None:
    force = "/api/recovery/opens-1/force"
    done = await api("POST", force, Role.OPERATOR, json={"strategy": "failover"})
    assert (done.status, done.json["sessionId"]) == (202, "opens-1")
    assert memory.recovery.forced == [("operator", "opens-1", "failover")]
    entry = memory.accounts.trail.entries[-1]
    assert (entry.action, entry.target, entry.outcome) == ("recovery.force", "opens-1", "done")
    assert entry.detail == {"strategy": "failover", "operation": done.json["operationId"]}
    assert (await api("GET", "/api/interventions")).json["manual"] == {"force": 1}
    for body in ({}, {"strategy": "pray"}, {"strategy": "restart", "cause": "deaf"}):
        assert (await api("POST", force, json=body)).status == 422
    assert (await api("POST", "/api/recovery/locked-1/force", json={"strategy": "restart"})).status == 409
    assert (await api("POST", "/api/recovery/nobody-1/force", json={"strategy": "restart"})).status == 404
    assert (await api("POST", force, Role.VIEWER, json={"strategy": "restart"})).status == 403
    assert (await api("GET", "/api/interventions")).json["manual"] == {"force": 1}


async def test_the_explanation(api: CheckedClient, ledger: list[Episode]) -> None:
    assert ledger
    found = (await api("GET", "/api/recovery/locked-1/explain", Role.VIEWER)).json
    assert (found["rule"], found["action"], found["episode"]) == ("well", None, None)
    await api("POST", PAUSES, json={"sessionId": "locked-1"})
    paused = (await api("GET", "/api/recovery/locked-1/explain")).json
    assert (paused["paused"], paused["pausedUntil"]) == (True, None)
    at = "2026-01-31T08:15:30Z"
    assert (await api("GET", f"/api/recovery/opens-1/explain?at={at}")).json["at"] == "2026-01-31T08:15:30.000Z"
    assert (await api("GET", "/api/recovery/opens-1/explain?at=2999-01-01T00:00:00Z")).status == 422
    assert (await api("GET", "/api/recovery/opens-1/explain?at=yesterday")).status == 422
    assert (await api("GET", "/api/recovery/nobody-1/explain")).status == 404
