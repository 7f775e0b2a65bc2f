"""The API's edges: problems, limits, headers and logs."""

import asyncio
import logging
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from daemon.api import Role, build_app
from daemon.backend import BackendError
from daemon.metrics.exporter import Exporter
from tests.fixtures_api import TOKENS, ApiServer, CheckedClient, settings
from tests.memory_backend import MemoryBackend

STATUS = "/api/whatsapp-status"
OPENS = "/api/sessions/opens-1"
MESSAGE = {"id": "order-1", "to": "+15550100189", "text": "hello"}


# --- problems


async def test_unknown_routes_and_methods(api: CheckedClient) -> None:
    assert (await api("GET", "/api/nothing")).json["type"] == "/problems/not_found"
    answer = await api("PUT", "/api/sessions")
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(",")) == {"GET", "POST"}
    assert answer.json["instance"] == "/api/sessions"


@pytest.mark.parametrize("session", ["nobody", "15550100189", "UPPER", "%2e%2e%2f", "a%00b", "é"])
async def test_unknown_sessions(api: CheckedClient, session: str) -> None:
    answer = await api("GET", f"{STATUS}/{session}")
    assert answer.status == 404


async def test_bodies_that_are_no_json(api: CheckedClient) -> None:
    path = f"{OPENS}/messages"
    assert (await api("POST", path, data=b"{", headers={"Content-Type": "application/json"})).status == 400
    assert (await api("POST", path, data=b"{}", headers={"Content-Type": "text/plain"})).status == 415
    assert (await api("POST", path)).status == 415
    large = await api("POST", path, data=b" " * 70_000, headers={"Content-Type": "application/json"})
    assert large.status == 413
    assert "65536" in large.json["detail"]


async def test_wrong_values_are_all_named(api: CheckedClient) -> None:
    answer = await api("POST", f"{OPENS}/messages", json={"to": "me", "text": "", "when": "now"})
    assert answer.status == 422
    assert {error["pointer"] for error in answer.json["errors"]} == {"#/to", "#/text", "#/when"}


async def test_a_failure_inside_tells_the_caller_nothing_but_an_id(
    api: CheckedClient, memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_session: str) -> None:
        raise RuntimeError("the secret is 12345")

    monkeypatch.setattr(memory, "live", fail)
    answer = await api("GET", f"{STATUS}/opens-1")
    assert answer.status == 500
    assert "secret" not in answer.content.decode()
    assert answer.json["requestId"] == answer.headers["X-Request-Id"]
    assert answer.json["requestId"] in caplog.text


@pytest.mark.parametrize(
    ("reason", "status"),
    [("not_pairing", 409), ("not_open", 409), ("unavailable", 503), ("timeout", 504), ("limit", 429), ("news", 500)],
)
async def test_errors_of_the_backend(
    api: CheckedClient, memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch, reason: str, status: int
) -> None:
    async def fail(*_args: Any) -> None:
        raise BackendError(reason, "It did not work.", retryAfter=7.4)

    monkeypatch.setattr(memory, "send", fail)
    async with api.raw.post(
        f"{OPENS}/messages", json=MESSAGE, headers={"Authorization": f"Bearer {TOKENS[Role.ADMIN]}"}
    ) as response:
        assert response.status == status
        assert response.headers["Retry-After"] == "7"
        assert (await response.json())["detail"] == "It did not work."


# --- limits, headers, logs


async def test_too_many_requests(memory: MemoryBackend) -> None:
    app = build_app(memory, settings(rate=0.5, burst=2), Exporter(memory, "1", lambda: None))
    async with TestClient(ApiServer(app)) as client:
        api = CheckedClient(client)
        statuses = [(await api("GET", "/api/sessions", Role.VIEWER)).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert int((await api("GET", "/api/sessions", Role.VIEWER)).headers["Retry-After"]) in {1, 2}
        assert (await api("GET", "/api/sessions", Role.ADMIN)).status == 200
        assert (await api("GET", "/healthz", None)).status == 200


async def test_too_many_at_once(memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()
    tree = memory.tree

    async def slow() -> dict[str, Any]:
        entered.set()
        await leave.wait()
        return await tree()

    monkeypatch.setattr(memory, "tree", slow)
    app = build_app(memory, settings(concurrency=1), Exporter(memory, "1", lambda: None))
    async with TestClient(ApiServer(app)) as client:
        api = CheckedClient(client)
        first = asyncio.create_task(api("GET", "/api/supervision", Role.VIEWER))
        await entered.wait()
        assert (await api("GET", "/api/sessions", Role.VIEWER)).status == 429
        assert (await api("GET", "/api/sessions", Role.ADMIN)).status == 200
        leave.set()
        assert (await first).status == 200
        assert (await api("GET", "/api/sessions", Role.VIEWER)).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/api/nothing", "/api/sessions", "/metrics"])
async def test_security_headers(api: CheckedClient, path: str) -> None:
    headers = (await api("GET", path, None)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Server"] == "wavigil"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Request-Id"]
    assert "Access-Control-Allow-Origin" not in headers


async def test_a_rebound_name_is_refused(api: CheckedClient) -> None:
    for path in ("/healthz", "/metrics", "/api/sessions", "/api/nothing"):
        answer = await api.raw.get(path, headers={"Host": "rebound.example", "Authorization": "Bearer x"})
        assert answer.status == 421
        assert (await answer.json())["type"] == "/problems/misdirected"


async def test_request_ids_are_taken_over_when_they_are_harmless(api: CheckedClient) -> None:
    assert (await api("GET", "/healthz", None, headers={"X-Request-Id": "mine-1"})).headers["X-Request-Id"] == "mine-1"
    for harmful in ("a b", "x" * 65, "<script>"):
        answer = await api("GET", "/healthz", None, headers={"X-Request-Id": harmful})
        assert answer.headers["X-Request-Id"] != harmful


async def test_the_access_log_has_no_secrets_and_no_phone_numbers(
    api: CheckedClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await api("POST", f"{OPENS}/messages", json={**MESSAGE, "id": "for-15550100189", "text": "the text"})
    await api("GET", f"{OPENS}/messages/for-15550100189")
    await api("GET", f"{STATUS}/15550100189")
    await api("POST", "/api/sessions/unpaired-1/pairing-code", json={"phone": "15550100189"})
    await api("GET", f"{STATUS}/bulk?ids=15550100189", headers={"X-Request-Id": "15550100189"})
    lines = [record.getMessage() for record in caplog.records if record.name == "wavigil.api"]
    assert len(lines) == 5
    assert "GET /api/sessions/opens-1/messages/for-1555•••89 200" in lines[1]
    assert ", admin, " in lines[1]
    text = "\n".join(record.getMessage() for record in caplog.records)
    for secret in ("15550100189", TOKENS[Role.ADMIN], "the text", "ABCD1234"):
        assert secret not in text


@pytest.mark.parametrize(
    "raw", [b"BREW /secret HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nAuthorization: se\x00cret\r\n\r\n"]
)
async def test_what_is_no_http_is_refused_and_not_logged(
    api: CheckedClient, caplog: pytest.LogCaptureFixture, raw: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    reader, writer = await asyncio.open_connection(api.raw.host, api.raw.port)
    writer.write(raw)
    assert (await reader.readline()).startswith(b"HTTP/1.0 400 ")
    writer.close()
    await writer.wait_closed()
    assert "refused a request that is not HTTP" in caplog.text
    assert "cret" not in caplog.text
