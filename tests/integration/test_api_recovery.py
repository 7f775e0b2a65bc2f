"""What operators see and steer of recovery, over HTTP."""

import time
from typing import Any

import pytest

from daemon.api import Role
from tests.fixtures_api import CheckedClient
from tests.memory_backend import MemoryBackend

pytestmark = pytest.mark.integration

PAUSES = "/api/recovery/pauses"


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
