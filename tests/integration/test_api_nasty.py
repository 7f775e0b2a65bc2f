"""Every route with values that break programs: each answer is documented, and none is a failure of the daemon."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import BaseModel
from yarl import URL

from daemon.api import Role
from daemon.api.requests import NoBody
from daemon.api.routes import ROUTES
from tests.fixtures_api import CheckedClient

TEXTS = (
    "", " ", ".", "..", "../..", "/", "//", "%", "%00", "%2f", "\0", "\n", "\r\nX-Injected: 1", "é", "😀", "\u202e",
    "\ufeff", "null", "NaN", "-1", "0", "1e309", "9" * 400, "a" * 5000, "'; DROP TABLE sends; --", "${jndi:ldap://x}",
    "{{7*7}}",
    "<script>alert(1)</script>", "15550100189", "bulk", "a,b,,c", ":", "team:", ":x", "opens-1", "🏴‍☠️" * 50,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *TEXTS, None, True, 0, -1, 1.5, 2**63, 2**64, 1e308, [], {}, [[]], {"": ""}, {"team": None}, [1] * 1000,
    {"a": {"b": {}}},
)  # fmt: skip
STRANGE = ("nothing", "__class__")
"""Names that no route knows."""
GOOD: dict[str, Any] = {
    "createSession": {"id": "made-1", "connector": "simulator"},
    "changeSession": {"labels": {}},
    "createPairingCode": {"phone": "15550100189"},
    "importAuth": {"entries": {"creds": "{}"}},
    "createBackup": {"directory": "/backup/monday"},
    "sendMessage": {"to": "15550100189", "text": "hello", "wait": "0s"},
    "pauseRecovery": {"sessionId": "opens-1"},
    "forceRecovery": {"strategy": "restart"},
}


def names_of(model: type[BaseModel]) -> tuple[str, ...]:
    """What a route knows, and what it does not."""
    return (*(field.alias or name for name, field in model.model_fields.items()), *STRANGE)


def path_of(route: Any, session: str = "opens-1", message: str = "order-1") -> str:
    path = str(route.path).replace("{sessionId}", quote(session, safe=""))
    for name in ("{messageId}", "{pauseId}", "{episodeId}"):
        path = path.replace(name, quote(message, safe=""))
    return path


async def sends(api: CheckedClient, route: Any, path: str, **options: Any) -> None:
    answer = await api(route.method, path, Role.ADMIN, **options)
    unread = {"/problems/unavailable"} if route.operation == "reloadConfiguration" else set()  # there is no file here
    assert answer.status < 500 or answer.json["type"] in {"/problems/timeout", *unread}, answer.json
    assert "X-Injected" not in answer.headers


@pytest.mark.parametrize("route", [r for r in ROUTES if "{" in r.path], ids=lambda route: route.operation)
async def test_paths(api: CheckedClient, route: Any) -> None:
    for text in TEXTS:
        for path in (path_of(route, session=text), path_of(route, message=text)):
            answer = await api.raw.request(
                route.method, URL(path, encoded=True), json=GOOD.get(route.operation),
                headers={"Authorization": "Bearer admin-secret-token"},
            )  # fmt: skip
            assert answer.status < 500
            assert "X-Injected" not in answer.headers


@pytest.mark.parametrize("route", [r for r in ROUTES if r.role is not None], ids=lambda route: route.operation)
async def test_queries(api: CheckedClient, route: Any) -> None:
    for name in names_of(route.query):
        for text in TEXTS:
            await sends(api, route, path_of(route, "locked-1"), params={name: text}, json=GOOD.get(route.operation))


@pytest.mark.parametrize("route", [r for r in ROUTES if r.body is not NoBody], ids=lambda route: route.operation)
async def test_bodies(api: CheckedClient, route: Any) -> None:
    good = GOOD[route.operation]
    for name in names_of(route.body):
        for value in VALUES:
            await sends(api, route, path_of(route), json={**good, name: value})
    for value in VALUES:
        await sends(api, route, path_of(route), json=value)
    for raw in (b"", b"\0", b"\xff", b"{", b'{"a":1}' * 2, b"[" * 20_000, json.dumps(good).encode("utf-16")):
        await sends(api, route, path_of(route), data=raw, headers={"Content-Type": "application/json"})


async def test_headers(api: CheckedClient) -> None:
    for text in TEXTS:
        value = "".join(character for character in text if character.isprintable() and character.isascii())
        for name in ("Accept", "Accept-Encoding", "Content-Type", "X-Request-Id", "If-None-Match", "Range", "Cookie"):
            for path in ("/metrics", "/api/sessions", "/api/sessions/unpaired-1/pairing"):
                answer = await api("GET", path, headers={name: value})
                assert answer.status == 200
        answer = await api("GET", "/api/sessions", None, headers={"Authorization": value})
        assert answer.status == 401
