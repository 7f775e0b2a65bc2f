"""Export and import of auth states over HTTP, with what is refused."""

from typing import Any

import pytest

from daemon.api import Role
from daemon.backend import SessionRecord
from tests.fixtures_api import CheckedClient
from tests.memory_backend import MemoryBackend
from tests.unit.connectors.baileys_states import entries, life, paired

pytestmark = pytest.mark.integration

EXPORT, IMPORT = "/api/sessions/moved-1/auth/export", "/api/sessions/moved-1/auth/import"


def body(state: dict[str, Any]) -> dict[str, Any]:
    return {"entries": {key: text.decode() for key, text in entries(state).items()}}


@pytest.fixture(autouse=True)
def stopped(memory: MemoryBackend) -> None:
    memory.seed(SessionRecord("moved-1", "baileys", enabled=False), "unpaired")


async def test_in_and_out_again(api: CheckedClient, memory: MemoryBackend) -> None:
    state = paired()
    done = await api("POST", IMPORT, json=body(state))
    assert (done.status, done.json) == (200, {"sessionId": "moved-1", "entries": len(state), "changed": len(state)})
    assert (await api("POST", IMPORT, json=body(state))).json["changed"] == 0
    exported = await api("POST", EXPORT)
    assert (exported.status, exported.json["entries"]) == (200, body(state)["entries"])
    assert exported.headers["Cache-Control"] == "no-store"
    noted = [(entry.action, entry.target, entry.outcome, entry.detail) for entry in memory.accounts.trail.entries]
    assert noted == [
        ("auth.import", "moved-1", "done", {"entries": 9, "changed": 9}),
        ("auth.import", "moved-1", "done", {"entries": 9, "changed": 0}),
        ("auth.export", "moved-1", "done", {"entries": 9}),
    ]


async def test_older_keys_are_refused(api: CheckedClient) -> None:
    old, new = life([(0, 1)])
    assert (await api("POST", IMPORT, json=body(new))).status == 200
    refused = await api("POST", IMPORT, json=body(old))
    assert (refused.status, refused.json["type"]) == (409, "/problems/conflict")
    assert (await api("POST", EXPORT)).json["entries"] == body(new)["entries"]


async def test_what_can_not_be_used_is_named(api: CheckedClient) -> None:
    state = body(paired())
    state["entries"]["creds"] = ""
    refused = await api("POST", IMPORT, json=state)
    assert refused.status == 422
    assert refused.json["detail"].startswith("creds.json is empty")
    assert "pair anew" in refused.json["remedy"]
    wrong: Any
    for wrong in ({}, {"entries": {}}, {"entries": {"creds": 1}}, {"entries": []}):
        assert (await api("POST", IMPORT, json=wrong)).status == 422


@pytest.mark.parametrize("path", [EXPORT, IMPORT])
async def test_only_admins(api: CheckedClient, path: str) -> None:
    for role in (Role.VIEWER, Role.OPERATOR):
        assert (await api("POST", path, role, json=body(paired()))).status == 403


async def test_an_auth_state_may_be_larger_than_other_bodies(api: CheckedClient) -> None:
    state = paired() | {f"pre-key/{number}": {"private": "x" * 400} for number in range(100, 400)}
    assert (await api("POST", IMPORT, json=body(state))).status == 200
    large = await api("POST", "/api/sessions", json={"id": "x", "connector": "baileys", "labels": {"a": "x" * 70_000}})
    assert (large.status, large.json["detail"]) == (413, "A body has at most 65536 bytes here.")
