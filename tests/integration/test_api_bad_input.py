"""Bodies that are too large or too slow, and tokens that are wrong: refused, and nothing is learnt from the refusal."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from daemon.api import Role, endpoint
from tests.fixtures_api import TOKENS, CheckedClient
from tests.memory_backend import MemoryBackend

pytestmark = pytest.mark.integration

MESSAGES = "/api/sessions/opens-1/messages"
JSON = {"Content-Type": "application/json"}


async def chunks(piece: bytes, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield piece
        await asyncio.sleep(0)


async def test_a_body_without_a_length_is_limited_too(api: CheckedClient, memory: MemoryBackend) -> None:
    large = await api("POST", MESSAGES, data=chunks(b" " * 8192, 9), headers=JSON)
    assert (large.status, large.json["type"]) == (413, "/problems/payload_too_large")
    small = await api("POST", MESSAGES, data=chunks(b'{"to": "15550100189", "text": "hello"}', 1), headers=JSON)
    assert small.status == 200
    assert len(memory._sessions["opens-1"].sends) == 1


async def test_a_slow_body_is_given_up(
    api: CheckedClient, memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "BODY_PATIENCE", 0.05)
    reader, writer = await asyncio.open_connection(api.raw.host, api.raw.port)
    writer.write(
        f"POST {MESSAGES} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKENS[Role.ADMIN]}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
    )
    async with asyncio.timeout(20):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()
    await writer.wait_closed()
    assert memory._sessions["opens-1"].sends == {}


async def test_a_wrong_token_tells_nothing(api: CheckedClient) -> None:
    right = TOKENS[Role.ADMIN]
    wrong = ("x", right[:-1], right + "x", right.upper(), "é", "0" * 4000, " ")
    answers = set()
    for path in ("/api/sessions", "/api/sessions/opens-1", "/api/sessions/nobody", "/api/audit"):
        for token in wrong:
            async with api.raw.get(path, headers={"Authorization": f"Bearer {token}"}) as response:
                body = await response.json(content_type=None)
            assert response.status == 401
            assert body.pop("requestId")
            assert body.pop("instance") == path
            shape = str(body).replace("The request has no bearer token.", "The token is not valid.")
            answers.add((shape, response.headers["WWW-Authenticate"].partition(",")[0]))
    assert len(answers) == 1


async def test_a_lower_role_learns_not_even_what_there_is(api: CheckedClient) -> None:
    known = await api("POST", "/api/sessions/opens-1/stop", Role.VIEWER)
    unknown = await api("POST", "/api/sessions/nobody/stop", Role.VIEWER)
    assert (known.status, unknown.status) == (403, 403)
    assert known.json["detail"] == unknown.json["detail"]
