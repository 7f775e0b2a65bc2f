"""The route and the command that reload, over a configuration that answers what a test wants; limits that change."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient

from config.problems import Problem
from config.schema_http import Tls
from daemon.api import Role, build_app, keys
from daemon.api.current import Current
from daemon.backend import BackendError
from daemon.configuration import Reloaded, WrongConfigurationError
from daemon.metrics.exporter import Exporter
from daemon.tls import CertificateError, server_context, show
from tests.fixtures_api import ApiServer, CheckedClient, settings
from tests.fixtures_cli import Shell
from tests.integration.test_cli_tls import certificate
from tests.memory_backend import MemoryBackend

DONE = Reloaded(
    "wavigil.yaml",
    "9f86",
    added=("a",),
    removed=("b",),
    changed={"c": ("labels",)},
    unchanged=3,
    taken_over=("d",),
    given_back=("e",),
    settings=("log.level",),
    restart_needed=("http.listen",),
)
WRONG = Problem(
    "wavigil.yaml", 3, 5, "sesions", 'the unknown key "sesions"', "one of log, http", "did you mean sessions?"
)


class Scripted:
    """Answers with ``answer``, or raises it."""

    def __init__(self) -> None:
        self.answer: Reloaded | Exception = DONE
        self.asked: list[tuple[str, bool]] = []

    async def reload(self, who: str, *, dry_run: bool = False) -> Reloaded:
        self.asked.append((who, dry_run))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def configuration() -> Scripted:
    return Scripted()


@pytest.fixture
async def api(memory: MemoryBackend, configuration: Scripted) -> AsyncIterator[CheckedClient]:
    app = build_app(memory, settings(), Exporter(memory, "1", lambda: None), configuration)
    async with TestClient(ApiServer(app)) as client:
        yield CheckedClient(client)


async def test_only_an_admin_reloads(api: CheckedClient, configuration: Scripted) -> None:
    for role in (Role.VIEWER, Role.OPERATOR):
        assert (await api("POST", "/api/reload", role)).status == 403
    assert (await api("POST", "/api/reload?dryRun=perhaps")).status == 422
    assert configuration.asked == []
    done = await api("POST", "/api/reload?dryRun=true")
    assert (done.status, configuration.asked) == (200, [("admin", True)])
    assert done.json == {
        "dryRun": False,
        "source": "wavigil.yaml",
        "hash": "9f86",
        "added": ["a"],
        "removed": ["b"],
        "changed": [{"sessionId": "c", "fields": ["labels"]}],
        "unchanged": 3,
        "takenOver": ["d"],
        "givenBack": ["e"],
        "settings": ["log.level"],
        "restartNeeded": ["http.listen"],
    }


async def test_what_is_wrong_is_named(api: CheckedClient, configuration: Scripted, wavigil: Shell) -> None:
    configuration.answer = WrongConfigurationError((WRONG, WRONG))
    found = await api("POST", "/api/reload")
    assert (found.status, found.json["type"]) == (422, "/problems/configuration")
    assert [error["detail"] for error in found.json["errors"]] == [str(WRONG)] * 2
    problem = found.json["context"]["problems"][0]
    assert (problem["line"], problem["column"], problem["path"]) == (3, 5, "sesions")
    result = await wavigil("reload")
    assert (result.status, result.out) == (2, "")
    assert str(WRONG) in result.err
    configuration.answer = BackendError("storage_full", "no room")
    assert (await api("POST", "/api/reload")).status == 507
    assert (await wavigil("reload", "--json")).status == 1


async def test_the_command_says_what_changed(configuration: Scripted, wavigil: Shell) -> None:
    result = await wavigil("reload", "--dry-run")
    assert result.status == 0
    assert configuration.asked == [("admin", True)]
    assert result.out == (
        "wavigil.yaml: in effect\n  added: a\n  removed: b\n  changed: c (labels)\n  taken over from the API: d\n"
        "  given back to the API: e\n  settings: log.level\n  unchanged: 3 sessions\n"
        "Restart the daemon for: http.listen\n"
    )


async def test_limits_and_tokens_change_while_it_serves(api: CheckedClient) -> None:
    assert api.raw.app is not None
    current: Current = api.raw.app[keys.CURRENT]
    before = current.settings
    body = {"to": "15550100189", "text": "x" * 2000}
    current.change(settings(body_limit=1024))
    assert (await api("POST", "/api/sessions/opens-1/messages", json=body)).status == 413
    current.change(settings(rate=0.001, burst=1))
    statuses = [(await api("GET", "/api/sessions")).status for _ in range(3)]
    assert statuses[1:] == [429, 429]
    current.change(settings(tokens=()))
    assert (await api("GET", "/api/sessions")).status == 401
    current.change(before)
    assert (await api("POST", "/api/sessions/opens-1/messages", json=body)).status in {200, 429}


async def shown(context: ssl.SSLContext) -> bytes:
    """The certificate that a client of a server with this context sees, in DER."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
    return der


async def test_a_renewed_certificate_is_shown_to_new_clients(tmp_path: Path) -> None:
    own, key = certificate(tmp_path, "own")
    other, _ = certificate(tmp_path, "other")
    tls = Tls(certificate=own, key=key)
    context = server_context(tls)
    before = await shown(context)
    certificate(tmp_path, "own")  # other contents at the same paths
    show(context, tls)
    assert await shown(context) != before
    with pytest.raises(CertificateError, match="can't be used"):
        server_context(Tls(certificate=other, key=key))
