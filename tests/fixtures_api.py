"""The API over the in-memory backend, and a client that checks every answer against the OpenAPI document."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from daemon.api import ApiSettings, Role, Token, build_app, build_runner
from daemon.api.openapi import document
from daemon.backend import SessionRecord
from daemon.metrics.exporter import Exporter
from tests.memory_backend import MemoryBackend

TOKENS = {role: f"{role.label}-secret-token" for role in Role}
DOCUMENT = document("1.2.3")


def settings(**changes: Any) -> ApiSettings:
    tokens = tuple(Token(role.label, role, value) for role, value in TOKENS.items())
    return replace(ApiSettings(tokens=tokens, version="1.2.3", rate=10_000.0, burst=10_000), **changes)


class ApiServer(TestServer):
    """Serves as the daemon does."""

    async def _make_runner(self, **options: Any) -> web.AppRunner:
        return build_runner(self.app, **options)


class Answer:
    """An answer that agrees with the document."""

    def __init__(self, status: int, headers: Any, content: bytes, json: Any) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        self.json = json


class CheckedClient:
    """Sends requests and holds each answer against what the document says of it."""

    def __init__(self, client: "TestClient[Any, Any]") -> None:
        self.raw = client

    async def __call__(self, method: str, path: str, role: Role | None = Role.ADMIN, **options: Any) -> Answer:
        headers = dict(options.pop("headers", {}))
        if role is not None:
            headers.setdefault("Authorization", f"Bearer {TOKENS[role]}")
        async with self.raw.request(method, path, headers=headers, **options) as response:
            content = await response.read()
            json = await response.json(content_type=None) if "json" in response.content_type else None
            answer = Answer(response.status, response.headers, content, json)
        check(method, path.partition("?")[0], answer)
        return answer


def check(method: str, path: str, answer: Answer) -> None:
    """Assert that an answer is documented: status, media type, schema."""
    operation = _operation(method, path)
    if operation is None:
        schema: Any = {"$ref": "#/components/schemas/Problem"}
        assert answer.headers["Content-Type"] == "application/problem+json"
    else:
        responses = operation["responses"]
        assert str(answer.status) in responses, f"{method} {path}: {answer.status} is not documented: {answer.json}"
        content = responses[str(answer.status)].get("content", {})
        if not content:
            assert answer.content == b""
            return
        media = answer.headers["Content-Type"]
        assert media in content, f"{media} is not documented"
        schema = content[media]["schema"]
    if answer.json is not None:
        root = {"components": DOCUMENT["components"], **schema}
        OAS31Validator(root, format_checker=oas31_format_checker).validate(answer.json)


def _operation(method: str, path: str) -> Any:
    exact = DOCUMENT["paths"].get(path)
    candidates = [exact] if exact else []
    candidates += [
        operations
        for template, operations in DOCUMENT["paths"].items()
        if "{" in template and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    ]
    return next((operations[method.lower()] for operations in candidates if method.lower() in operations), None)


@pytest.fixture
def memory() -> MemoryBackend:
    """Three sessions: one open, one without a device, one with a locked account."""
    backend = MemoryBackend()
    backend.seed(SessionRecord("opens-1", "simulator", {"team": "a"}, source="wavigil.yaml:3"))
    backend.seed(SessionRecord("unpaired-1", "baileys", {"team": "b"}, source="wavigil.yaml:4"), "unpaired")
    backend.seed(SessionRecord("locked-1", "simulator", {"team": "a"}, origin="api"), "locked")
    return backend


@pytest.fixture
async def api(memory: MemoryBackend) -> AsyncIterator[CheckedClient]:
    """A client of the API over that backend."""
    app = build_app(memory, settings(), Exporter(memory, "1.2.3", lambda: None))
    async with TestClient(ApiServer(app)) as client:
        yield CheckedClient(client)
