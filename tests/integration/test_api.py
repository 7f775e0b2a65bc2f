"""The API from outside, over the in-memory backend; every answer is held against the OpenAPI document."""

import functools
import io
import json
from typing import Any

import pytest
import segno
from aiohttp.test_utils import TestClient
from openapi_spec_validator import validate

from daemon.api import Role, build_app
from daemon.api.routes import ROUTES
from daemon.backend import SessionRecord
from daemon.metrics.exporter import Exporter
from tests.fixtures_api import DOCUMENT, ApiServer, CheckedClient, settings
from tests.memory_backend import MemoryBackend

STATUS = "/api/whatsapp-status"
OPENS = "/api/sessions/opens-1"
MESSAGE = {"id": "order-1", "to": "+15550100189", "text": "hello"}


def path_of(route: Any) -> str:
    names = {"{sessionId}": "opens-1", "{messageId}": "order-1", "{pauseId}": "1", "{episodeId}": "1"}
    return functools.reduce(lambda path, name: path.replace(name, names[name]), names, str(route.path))


BODIES: dict[str, Any] = {
    "createSession": {"id": "made-1", "connector": "simulator"},
    "changeSession": {"labels": {}},
    "createPairingCode": {"phone": "15550100189"},
    "sendMessage": MESSAGE,
    "pauseRecovery": {"all": True},
    "forceRecovery": {"strategy": "reconnect"},
}


# --- the document


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")


def test_document_and_router_have_the_same_routes(memory: MemoryBackend) -> None:
    app = build_app(memory, settings(), Exporter(memory, "1", lambda: None))
    routed = {(route.method.lower(), route.resource.canonical) for route in app.router.routes() if route.resource}
    documented = {(method, path) for path, operations in DOCUMENT["paths"].items() for method in operations}
    assert routed == documented == {(route.method.lower(), route.path) for route in ROUTES}


def test_operations_are_named_once() -> None:
    names = [route.operation for route in ROUTES]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    text = json.dumps(DOCUMENT)
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used == set(DOCUMENT["components"]["schemas"])


async def test_the_document_is_served(api: CheckedClient) -> None:
    assert (await api("GET", "/api/openapi.json", Role.VIEWER)).json == DOCUMENT


# --- tokens and roles


@pytest.mark.parametrize("route", [r for r in ROUTES if r.role is not None], ids=lambda route: route.operation)
async def test_roles(api: CheckedClient, route: Any) -> None:
    for role in Role:
        answer = await api(route.method, path_of(route), role, json=BODIES.get(route.operation))
        if role < route.role:
            assert answer.status == 403
            assert route.role.label in answer.json["detail"]
            assert answer.json["context"] == {"role": route.role.label}
        else:
            assert answer.status not in {401, 403}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
async def test_without_a_token(api: CheckedClient, route: Any) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}):
        answer = await api(route.method, path_of(route), None, json=BODIES.get(route.operation), headers=headers)
        if route.role is None:
            assert answer.status == 200
        else:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert ("invalid_token" in answer.headers["WWW-Authenticate"]) == ("wrong" in str(headers))


async def test_purging_needs_an_admin(api: CheckedClient, memory: MemoryBackend) -> None:
    assert (await api("DELETE", "/api/sessions/locked-1?purge=true", Role.OPERATOR)).status == 403
    assert "locked-1" in memory.records()
    assert (await api("DELETE", "/api/sessions/locked-1?purge=true", Role.ADMIN)).status == 204
    assert memory.audit[-1] == ("admin", "purge", "locked-1")


# --- status


async def test_the_status_of_a_session_has_the_fields_of_the_contract(api: CheckedClient) -> None:
    answer = await api("GET", f"{STATUS}/opens-1", Role.VIEWER)
    assert answer.status == 200
    assert {
        "sessionId", "status", "state", "healthScore", "connectionQuality", "lastStatusCheck", "lastSeen", "isBlocked",
        "errorCount", "reconnectAttempts", "statusMetadata", "labels", "proxy", "connector", "origin",
    } == set(answer.json)  # fmt: skip
    assert answer.json["sessionId"] == "opens-1"
    assert answer.json["status"] == "connected"
    assert answer.json["statusMetadata"]["cause"] is None
    assert answer.json["statusMetadata"]["components"]["connection"]["evidenceAgeSeconds"] == 0


async def test_a_blocked_session_names_cause_and_remedy(api: CheckedClient, memory: MemoryBackend) -> None:
    memory.set_live("locked-1", detail={"causeAt": 1769847330.125, "until": 1769933730, "reason": "101"})
    answer = await api("GET", f"{STATUS}/locked-1", Role.VIEWER)
    assert answer.json["isBlocked"] is True
    assert answer.json["statusMetadata"]["until"] == "2026-02-01T08:15:30.000Z"
    assert answer.json["statusMetadata"]["cause"] == {
        "name": "forbidden",
        "code": 403,
        "message": "login refused",
        "remedy": "unlock the account",
        "at": "2026-01-31T08:15:30.125Z",
        "detail": {"reason": "101"},
    }


async def test_bulk_filters(api: CheckedClient) -> None:
    async def ids(query: str) -> list[str]:
        answer = await api("GET", f"{STATUS}/bulk{query}", Role.VIEWER)
        assert answer.status == 200
        assert answer.json["total"] == len(answer.json["sessions"])
        return [session["sessionId"] for session in answer.json["sessions"]]

    assert await ids("") == ["locked-1", "opens-1", "unpaired-1"]
    assert await ids("?ids=opens-1,nobody") == ["opens-1"]
    assert await ids("?status=blocked,pairing") == ["locked-1", "unpaired-1"]
    assert await ids("?quality=excellent") == ["opens-1"]
    assert await ids("?label=team:a") == ["locked-1", "opens-1"]
    assert await ids("?label=team:a&status=connected") == ["opens-1"]
    assert await ids("?label=team:a&label=team:b") == []
    assert await ids("?ids=") == []


async def test_bulk_pages(api: CheckedClient, memory: MemoryBackend) -> None:
    for number in range(250):
        memory.seed(SessionRecord(f"many-{number:03}", "simulator", {"team": "many"}))
    seen: list[str] = []
    path = f"{STATUS}/bulk?label=team:many"
    while True:
        page = (await api("GET", path, Role.VIEWER)).json
        assert page["total"] == 250
        assert len(page["sessions"]) <= 100
        seen += [session["sessionId"] for session in page["sessions"]]
        if page["nextCursor"] is None:
            break
        path = f"{STATUS}/bulk?label=team:many&cursor={page['nextCursor']}"
    assert seen == [f"many-{number:03}" for number in range(250)]


async def test_a_cursor_of_another_query_is_refused(api: CheckedClient) -> None:
    page = (await api("GET", f"{STATUS}/bulk?limit=1")).json
    answer = await api("GET", f"{STATUS}/bulk?limit=1&status=connected&cursor={page['nextCursor']}")
    assert answer.status == 422
    assert answer.json["errors"][0]["parameter"] == "cursor"


async def test_a_thousand_long_ids_fit_into_a_query(api: CheckedClient, memory: MemoryBackend) -> None:
    ids = [f"{'long-' * 11}{number:04}" for number in range(1000)]
    for session in ids:
        memory.seed(SessionRecord(session, "simulator"))
    answer = await api("GET", f"{STATUS}/bulk?limit=1000&ids={','.join(ids)}")
    assert [session["sessionId"] for session in answer.json["sessions"]] == ids


async def test_health_summary(api: CheckedClient, memory: MemoryBackend) -> None:
    memory.set_live("unpaired-1", score=None, quality=None, disconnects_by={"24h": {"stalled": 9}})
    memory.set_live("locked-1", confidence=0.5, disconnects_by={"1h": {"forbidden": 1, "connection_lost": 2}})
    memory.set_live("opens-1", confidence=1.0, liveness="quiet", disconnects_by={"1h": {"connection_lost": 1}})
    memory.seed(SessionRecord("old-1", "simulator"))
    memory.set_live("old-1", score=96, quality="excellent", liveness="half_open", last_seen=1000.0)
    summary = (await api("GET", f"{STATUS}/health-summary", Role.VIEWER)).json
    assert summary["total"] == 4
    assert summary["byStatus"] == {
        "connected": 2, "connecting": 0, "pairing": 1, "disconnected": 0, "blocked": 1, "error": 0, "stopped": 0
    }  # fmt: skip
    assert summary["byQuality"] == {"excellent": 2, "good": 0, "poor": 0, "critical": 1, "unknown": 1}
    assert summary["byLiveness"] == {"alive": 0, "quiet": 1, "deaf": 0, "half_open": 1, "outbound_stuck": 0}
    assert (summary["meanScore"], summary["meanConfidence"]) == (64.0, 0.75)
    assert [low["sessionId"] for low in summary["lowest"]] == ["locked-1", "old-1", "opens-1"]
    assert list(summary["disconnectsLastHour"].items()) == [("connection_lost", 3), ("forbidden", 1)]
    assert summary["withoutFreshEvidence"] == {"total": 1, "sessionIds": ["old-1"]}


async def test_an_empty_fleet(memory: MemoryBackend) -> None:
    backend = MemoryBackend()
    app = build_app(backend, settings(), Exporter(backend, "1", lambda: None))
    async with TestClient(ApiServer(app)) as client:
        api = CheckedClient(client)
        assert (await api("GET", f"{STATUS}/bulk")).json == {"sessions": [], "nextCursor": None, "total": 0}
        assert (await api("GET", f"{STATUS}/health-summary")).json["meanScore"] is None
        assert (await api("GET", "/metrics", None)).status == 200


async def test_reconnect(api: CheckedClient, memory: MemoryBackend) -> None:
    answer = await api("POST", f"{STATUS}/opens-1/reconnect", Role.OPERATOR)
    assert answer.status == 202
    assert answer.json["operationId"]
    assert memory.audit[-1] == ("operator", "reconnect", "opens-1")


# --- sessions


async def test_a_session_names_a_proxy_and_the_audit_log_says_so(api: CheckedClient, memory: MemoryBackend) -> None:
    body = {"id": "made-1", "connector": "simulator", "proxy": "berlin-1"}
    assert (await api("POST", "/api/sessions", json=body)).json["proxy"] == "berlin-1"
    assert (await api("PATCH", "/api/sessions/made-1", json={"labels": {}})).json["proxy"] == "berlin-1"
    assert (await api("GET", "/api/whatsapp-status/made-1")).json["proxy"] == "berlin-1"
    assert (await api("PATCH", "/api/sessions/made-1", json={"proxy": "oslo-1"})).json["proxy"] == "oslo-1"
    assert (await api("PATCH", "/api/sessions/made-1", json={"proxy": None})).json["proxy"] is None
    for wrong in ("nowhere-1", "http://user:zk7@host", ""):
        refused = await api("PATCH", "/api/sessions/made-1", json={"proxy": wrong})
        assert refused.status == 422
        assert "zk7" not in str(refused.json)
    entered = [entry.detail.get("proxy", "-") for entry in memory.accounts.trail.entries][:4]
    assert entered == ["berlin-1", "-", "oslo-1", None]


async def test_the_life_of_a_session(api: CheckedClient, memory: MemoryBackend) -> None:
    made = await api("POST", "/api/sessions", json={"id": "made-1", "connector": "simulator", "labels": {"team": "c"}})
    assert made.status == 201
    assert made.headers["Location"] == "/api/sessions/made-1"
    assert made.json["origin"] == "api"
    assert (await api("POST", "/api/sessions", json={"id": "made-1"})).status == 409
    changed = await api("PATCH", "/api/sessions/made-1", json={"labels": {"tier": "gold"}, "enabled": False})
    assert changed.json["labels"] == {"tier": "gold"}
    assert changed.json["enabled"] is False
    assert (await api("GET", "/api/sessions/made-1")).json["status"] == "stopped"
    assert (await api("POST", "/api/sessions/made-1/start")).status == 202
    assert (await api("POST", "/api/sessions/made-1/stop")).json["state"] == "stopped"
    assert (await api("POST", "/api/sessions/made-1/logout")).status == 202
    listed = await api("GET", "/api/sessions?label=tier:gold")
    assert [session["id"] for session in listed.json["sessions"]] == ["made-1"]
    assert (await api("DELETE", "/api/sessions/made-1")).status == 204
    assert (await api("GET", "/api/sessions/made-1")).status == 404
    assert ("admin", "remove", "made-1") in memory.audit


async def test_what_the_file_owns_names_file_and_line(api: CheckedClient) -> None:
    for method, body in (("PATCH", {"enabled": False}), ("DELETE", None)):
        answer = await api(method, OPENS, json=body)
        assert answer.status == 409
        assert answer.json["type"] == "/problems/file_owned"
        assert "wavigil.yaml:3" in answer.json["detail"]
        assert answer.json["context"] == {"source": "wavigil.yaml:3"}


async def test_an_unknown_connector(api: CheckedClient) -> None:
    answer = await api("POST", "/api/sessions", json={"id": "made-1", "connector": "pigeon"})
    assert answer.status == 422
    assert answer.json["errors"][0]["pointer"] == "#/connector"


# --- pairing


async def test_pairing_by_qr(api: CheckedClient, memory: MemoryBackend) -> None:
    answer = await api("GET", "/api/sessions/unpaired-1/pairing?wait=2s", Role.OPERATOR)
    assert answer.status == 200
    assert answer.json["qr"].startswith("2@")
    assert memory.waits == [2.0]
    image = await api(
        "GET",
        "/api/sessions/unpaired-1/pairing",
        Role.OPERATOR,
        headers={"Accept": "image/png, application/json;q=0.5"},
    )
    expected = io.BytesIO()
    segno.make_qr(answer.json["qr"], error="l").save(expected, kind="png", scale=6, border=4)
    assert image.headers["Content-Type"] == "image/png"
    assert image.headers["Cache-Control"] == "no-store"
    assert image.content == expected.getvalue()


async def test_no_qr_in_time(api: CheckedClient, memory: MemoryBackend) -> None:
    memory.gives_qr = False
    answer = await api("GET", "/api/sessions/unpaired-1/pairing?wait=0s")
    assert answer.status == 504
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_paired_session_is_not_paired_again(api: CheckedClient) -> None:
    assert (await api("GET", f"{OPENS}/pairing")).status == 409


async def test_pairing_by_code(api: CheckedClient) -> None:
    path = "/api/sessions/unpaired-1/pairing-code"
    answer = await api("POST", path, json={"phone": "+15550100189"})
    assert answer.json["code"] == "ABCD1234"
    assert (await api("POST", path, json={"phone": "0155"})).json["errors"][0]["pointer"] == "#/phone"
    assert (await api("GET", "/api/sessions/unpaired-1/pairing")).json["code"] == "ABCD1234"
    png = await api("GET", "/api/sessions/unpaired-1/pairing", headers={"Accept": "image/png"})
    assert png.status == 504


# --- messages


async def test_a_message_is_sent_once(api: CheckedClient) -> None:
    first = await api("POST", f"{OPENS}/messages", Role.OPERATOR, json=MESSAGE)
    assert first.status == 200
    assert first.json["to"] == "15550100189@s.whatsapp.net"
    assert first.headers["Location"] == f"{OPENS}/messages/order-1"
    assert "Idempotent-Replayed" not in first.headers
    again = await api("POST", f"{OPENS}/messages", json={**MESSAGE, "to": "15550100189@s.whatsapp.net"})
    assert again.status == 200
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await api("POST", f"{OPENS}/messages", json={**MESSAGE, "text": "other"})
    assert other.status == 409
    assert other.json["type"] == "/problems/conflict"
    assert (await api("GET", first.headers["Location"])).json == first.json


async def test_what_is_not_acknowledged_in_time(api: CheckedClient, memory: MemoryBackend) -> None:
    memory.acknowledges = False
    answer = await api("POST", f"{OPENS}/messages", json={"to": "120363025246125486@g.us", "text": "x", "wait": "0s"})
    assert answer.status == 202
    assert answer.json["state"] == "queued"
    assert memory.waits == [0.0]
    assert (await api("GET", answer.headers["Location"])).json["state"] == "queued"


async def test_the_default_wait(api: CheckedClient, memory: MemoryBackend) -> None:
    await api("POST", f"{OPENS}/messages", json=MESSAGE)
    assert memory.waits == [10.0]


async def test_a_blocked_session_refuses_and_passes_the_remedy_on(api: CheckedClient) -> None:
    answer = await api("POST", "/api/sessions/locked-1/messages", json=MESSAGE)
    assert answer.status == 409
    assert answer.json["type"] == "/problems/refused"
    assert answer.json["remedy"] == "unlock the account"


async def test_unknown_messages(api: CheckedClient) -> None:
    assert (await api("GET", f"{OPENS}/messages/nothing")).json["type"] == "/problems/unknown_message"
    assert (await api("GET", f"{OPENS}/messages/a%20b")).json["type"] == "/problems/unknown_message"


# --- operations


async def test_supervision(api: CheckedClient, memory: MemoryBackend) -> None:
    tree = (await api("GET", "/api/supervision", Role.VIEWER)).json
    assert tree["kind"] == "root"
    connector, _, *sessions = tree["children"]
    assert len(sessions) == 3
    assert connector["stats"]["eventLoopLagSeconds"] == 0.002
    memory.up = False
    assert (await api("GET", "/api/supervision", Role.VIEWER)).status == 503


async def test_probes(api: CheckedClient, memory: MemoryBackend) -> None:
    assert (await api("GET", "/healthz?probe=1", None)).json == {"status": "ok"}
    assert (await api("GET", "/readyz", None)).json == {"ready": True}
    memory.up = False
    assert (await api("GET", "/healthz", None)).status == 200
    answer = await api("GET", "/readyz", None)
    assert answer.status == 503
    assert answer.json["detail"] == "the actor system is starting"
