"""The metrics as a scrape sees them."""

import asyncio
import gzip
import re
import shutil
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from prometheus_client.parser import text_string_to_metric_families

from actors.store.records import OutboxEvent
from daemon.api import build_app
from daemon.backend import SessionRecord
from daemon.metrics import table
from daemon.metrics.exporter import Exporter
from daemon.metrics.table import general, sessions
from daemon.metrics.text import CONTENT_TYPE
from tests.fixtures_api import ApiServer, CheckedClient, settings
from tests.memory_backend import MemoryBackend

RECOVERY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("recovery.started", {"since": 40.0}),
    ("recovery.loop", {}),
    ("recovery.succeeded", {"seconds": 75.0, "outcome": "healed"}),
)
"""What an episode tells of itself."""


async def scrape(memory: MemoryBackend) -> str:
    """What Prometheus gets after some use of the API."""
    tree = await memory.tree()
    for number, (type, data) in enumerate(RECOVERY, start=1):
        told = {"episode": 1, "cause": "deaf", "strategy": "reconnect", "attempts": 5, **data}
        memory.recovery.metrics.event(OutboxEvent(number, 100.0, type, "opens-1", told))
    app = build_app(memory, settings(), Exporter(memory, "1.2.3", lambda: tree))
    async with TestClient(ApiServer(app)) as client:
        api = CheckedClient(client)
        await api("GET", "/api/sessions/opens-1")
        await api("GET", "/api/sessions/15550100189")
        await api("POST", "/api/sessions/opens-1/messages", json={"to": "15550100189", "text": "hello"})
        await api("GET", "/nothing/15550100189")
        await client.request("PROPFIND", "/healthz")
        answer = await api("GET", "/metrics", None, headers={"Accept-Encoding": "identity"})
        assert answer.headers["Content-Type"] == CONTENT_TYPE
        return answer.content.decode()


def samples(output: str) -> dict[str, set[frozenset[str]]]:
    """Label names by family."""
    found: dict[str, set[frozenset[str]]] = {}
    for family in text_string_to_metric_families(output):
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = {frozenset(set(sample.labels) - {"le"}) for sample in family.samples}
    return found


async def test_the_output_is_the_table(memory: MemoryBackend) -> None:
    output = await scrape(memory)
    assert samples(output) == {metric.name: {frozenset(metric.labels)} for metric in table.METRICS}
    heads = re.findall(r"^# HELP (\S+) (.*)\n# TYPE (\S+) (\S+)$", output, re.MULTILINE)
    order = [metric for metric in table.METRICS if metric not in general.PROCESS]
    assert [head for head in heads if head[0].startswith("wavigil_")] == [
        (m.name, m.help, m.name, m.kind) for m in order
    ]


async def test_promtool_has_nothing_to_say(memory: MemoryBackend) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt install prometheus")
    memory.seed(SessionRecord("odd-1", 'connector "of\\ many\nlines'))
    process = await asyncio.create_subprocess_exec(
        promtool,
        "check",
        "metrics",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate((await scrape(memory)).encode())
    assert (process.returncode, said.decode()) == (0, "")


async def test_no_personal_data(memory: MemoryBackend) -> None:
    memory.set_live("opens-1", me="15550100189@s.whatsapp.net", message="15550100189")
    output = await scrape(memory)
    assert "@" not in output
    assert "15550100189" not in output
    assert "team" not in output


async def test_labels_of_requests_are_few(memory: MemoryBackend) -> None:
    output = await scrape(memory)
    assert 'method="GET",route="/api/sessions/{sessionId}",status="404"' in output
    assert 'method="GET",route="unmatched",status="404"' in output
    assert 'method="other",route="unmatched",status="405"' in output
    assert "PROPFIND" not in output


async def test_gzip_when_it_is_accepted(api: CheckedClient) -> None:
    plain = await api("GET", "/metrics", None, headers={"Accept-Encoding": "identity"})
    async with api.raw.session.get(
        api.raw.make_url("/metrics"), headers={"Accept-Encoding": "gzip"}, auto_decompress=False
    ) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Vary"] == "Accept-Encoding"
        packed = await response.read()
    assert len(packed) < len(plain.content) / 2
    assert samples(gzip.decompress(packed).decode()).keys() >= {"wavigil_session_up"}


async def test_without_a_tree_the_rest_is_there(api: CheckedClient) -> None:
    found = samples((await api("GET", "/metrics", None)).content.decode())
    assert general.SUPERVISION_CHILDREN.name not in found
    assert sessions.SESSION_UP.name in found
