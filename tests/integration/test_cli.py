"""The command line: what each command shows and does, and what it says when it can't."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from daemon.api import Role
from daemon.backend import SessionRecord
from daemon.cli import local
from tests.fixtures_api import TOKENS, CheckedClient
from tests.fixtures_cli import Shell
from tests.memory_backend import MemoryBackend

# --- status and tree


async def test_status(wavigil: Shell) -> None:
    result = await wavigil("status")
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[0].split()[:4] == ["SESSION", "STATUS", "SCORE", "QUALITY"]
    assert re.match(r"locked-1\s+blocked\s+0\s+critical\s+-\s+0\s+forbidden", lines[1])
    assert re.match(r"opens-1\s+connected\s+96\s+excellent\s+\ds ago\s+0\s+-", lines[2])
    assert "3 sessions: 1 connected, 1 pairing, 1 blocked" in result.out


async def test_status_of_one(wavigil: Shell) -> None:
    result = await wavigil("status", "locked-1")
    assert "forbidden, code 403" in result.out
    assert "unlock the account" in result.out
    assert (await wavigil("status", "nobody")).status == 1


async def test_status_filters_and_json(wavigil: Shell, memory: MemoryBackend) -> None:
    for number in range(1200):
        memory.seed(SessionRecord(f"many-{number:04}", "simulator", {"team": "many"}))
    sessions = json.loads((await wavigil("status", "--label", "team:many", "--json")).out)
    assert len(sessions) == 1200
    blocked = json.loads((await wavigil("status", "--status", "blocked", "--json")).out)
    assert [item["sessionId"] for item in blocked] == ["locked-1"]
    assert (await wavigil("status", "--status", "dead")).status == 2


async def test_tree(wavigil: Shell) -> None:
    result = await wavigil("tree")
    assert "└─ locked-1" in result.out
    assert json.loads((await wavigil("tree", "--json")).out)["kind"] == "root"


# --- sessions


async def test_the_life_of_a_session(wavigil: Shell, memory: MemoryBackend) -> None:
    made = await wavigil("sessions", "add", "made-1", "--connector", "simulator", "-l", "team:c")
    assert made.status == 0
    assert "pair" not in made.out
    assert (await wavigil("sessions", "add", "made-3", "--proxy", "berlin-1")).out
    assert "berlin-1" in (await wavigil("status", "made-3")).out
    assert (await wavigil("sessions", "remove", "made-3")).status == 0
    assert "wavigil pair made-2" in (await wavigil("sessions", "add", "made-2")).out
    assert (await wavigil("sessions", "remove", "made-2")).status == 0
    assert memory.records()["made-1"].labels == {"team": "c"}
    assert (await wavigil("sessions", "stop", "made-1")).status == 0
    assert memory.live("made-1").state == "stopped"
    assert (await wavigil("sessions", "start", "made-1", "--json")).status == 0
    memory.scan("made-1")
    assert (await wavigil("sessions", "reconnect", "made-1")).status == 0
    listed = await wavigil("sessions", "list", "--label", "team:c")
    assert re.search(r"made-1\s+connected\s+simulator\s+yes\s+team:c\s+api", listed.out)
    sessions = json.loads((await wavigil("sessions", "list", "--json")).out)
    assert {item["id"] for item in sessions} == {"opens-1", "unpaired-1", "locked-1", "made-1"}
    assert (await wavigil("sessions", "remove", "made-1")).status == 0
    assert "made-1" not in memory.records()


async def test_what_can_not_be_undone_is_asked_for(wavigil: Shell, memory: MemoryBackend) -> None:
    for command in (("logout", "opens-1"), ("remove", "locked-1", "--purge")):
        refused = await wavigil("sessions", *command)
        assert refused.status == 2
        assert "--yes" in refused.err
        assert ("admin", command[0], command[1]) not in memory.audit
        assert (await wavigil("sessions", *command, "--yes")).status == 0
    assert memory.audit == [("admin", "logout", "opens-1"), ("admin", "purge", "locked-1")]


async def test_what_the_file_owns_names_file_and_line(wavigil: Shell) -> None:
    result = await wavigil("sessions", "remove", "opens-1")
    assert result.status == 1
    assert "wavigil.yaml:3" in result.err


async def test_wrong_values_are_wrong_usage(wavigil: Shell) -> None:
    for arguments in (
        ("15550100189",),
        ("made-1", "-l", "team"),
        ("made-1", "-l", "te am:x"),
        ("x", "--connector", "y"),
    ):
        result = await wavigil("sessions", "add", *arguments)
        assert result.status == 2
        assert result.err.startswith("wavigil: ")


# --- send


async def test_send(wavigil: Shell) -> None:
    result = await wavigil("send", "opens-1", "+15550100189", "Hello", "--id", "order-1")
    assert (result.status, result.out) == (0, "order-1: acknowledged by the server\n")
    again = json.loads((await wavigil("send", "opens-1", "+15550100189", "Hello", "--id", "order-1", "--json")).out)
    assert again["state"] == "acknowledged"
    assert (await wavigil("send", "opens-1", "+15550100189", "Other", "--id", "order-1")).status == 1
    assert (await wavigil("send", "opens-1", "me", "Hello")).status == 2
    refused = await wavigil("send", "locked-1", "+15550100189", "Hello")
    assert refused.status == 1
    assert "unlock the account" in refused.err


async def test_send_that_waits_for_the_session(wavigil: Shell, memory: MemoryBackend) -> None:
    memory.acknowledges = False
    result = await wavigil("send", "opens-1", "15550100189", "Hello", "--wait", "0s")
    assert result.status == 0
    assert "stored" in result.out


# --- when it does not work


async def test_no_daemon(shell: Shell, state: Path, unused_tcp_port: int) -> None:
    (state / "wavigil.yaml").write_text(f"state_dir: {state}\nhttp: {{listen: '127.0.0.1:{unused_tcp_port}'}}\n")
    (state / "admin.token").write_text("some-token")
    result = await shell("status", "--config", str(state / "wavigil.yaml"))
    assert result.status == 1
    assert result.err == (
        f"wavigil: no daemon listens at http://127.0.0.1:{unused_tcp_port}\n"
        f"  Start it: wavigil run --config {state}/wavigil.yaml\n"
    )


async def test_no_token(shell: Shell, config: Path, state: Path) -> None:
    (state / "admin.token").unlink()
    result = await shell("status")
    assert result.status == 1
    assert f"there is no token file {state}/admin.token" in result.err
    assert f"wavigil run --config {config}" in result.err


async def test_a_wrong_token(wavigil: Shell, state: Path) -> None:
    (state / "other").write_text("not-the-token")
    result = await wavigil("status", "--token-file", str(state / "other"))
    assert result.status == 1
    assert f"does not know the token from {state}/other" in result.err
    assert "not-the-token" not in result.err


async def test_a_token_with_too_low_a_role(wavigil: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVIGIL_TOKEN", TOKENS[Role.VIEWER])
    result = await wavigil("sessions", "stop", "opens-1")
    assert result.status == 1
    assert "operator" in result.err


async def test_a_server_that_is_something_else(shell: Shell, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    monkeypatch.setenv("WAVIGIL_TOKEN", "some-token")
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        result = await shell("status", "--url", f"http://127.0.0.1:{port}")
    assert result.status == 1
    assert "is not wavigil" in result.err


async def test_a_wrong_configuration_names_the_line(shell: Shell, state: Path) -> None:
    path = state / "wavigil.yaml"
    path.write_text("http:\n  listen: nowhere\nsessions:\n  - {id: BAD, connector: baileys}\n")
    for command in ("check-config", "status"):
        result = await shell(command, "--config", str(path))
        assert result.status == 2
        assert f"{path}:2:" in result.err
        assert f"{path}:4:" in result.err


# --- without a daemon


async def test_check_config(shell: Shell, state: Path) -> None:
    path = state / "wavigil.yaml"
    path.write_text("http: {tokens: [{name: grafana, role: viewer, token: sixteen-characters}]}\n")
    result = await shell("check-config", "-c", str(path))
    assert result.status == 0
    assert "sixteen-characters" not in result.out + result.err
    assert "listen: 127.0.0.1:9470" in result.out
    assert f"{path} is fine" in result.err
    as_json = await shell("check-config", "-c", str(path), "--json")
    assert json.loads(as_json.out)["http"]["tokens"][0]["name"] == "grafana"


async def test_openapi_and_version(shell: Shell) -> None:
    validate(json.loads((await shell("openapi")).out))
    assert (await shell("version")).out.startswith("wavigil ")


async def test_the_demonstration_says_where_it_is_once_it_is_ready(
    api: CheckedClient, memory: MemoryBackend, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token_file = state / "admin.token"
    token_file.write_text(TOKENS[Role.ADMIN])
    url = f"http://127.0.0.1:{api.raw.port}"
    memory.up = False
    asks = asyncio.Event()
    ready = memory.ready

    def asked() -> tuple[bool, str]:
        asks.set()
        return ready()

    memory.ready = asked  # type: ignore[method-assign]  # to see that it asks
    hint = asyncio.create_task(asyncio.to_thread(local._hint, url, token_file))
    await asks.wait()
    assert capsys.readouterr().out == ""
    memory.up = True
    await hint
    assert f"address     {url}\n  token file  {token_file}" in capsys.readouterr().out


async def test_wrong_usage(shell: Shell) -> None:
    assert (await shell("nonsense")).status == 2
    assert (await shell("send", "opens-1")).status == 2
    assert (await shell("status", "--nonsense")).status == 2


COMMANDS = (
    "run", "demo", "check-config", "status", "pair", "send", "tree", "openapi", "version", "doctor",
    "support-bundle", "sessions list",
    "sessions add", "sessions remove", "sessions reconnect", "sessions start", "sessions stop", "sessions logout",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
async def test_help_teaches_by_examples(shell: Shell, command: str) -> None:
    result = await shell(*command.split(), "--help")
    assert result.status == 0
    assert f"wavigil {command}" in result.out
    assert command == "version" or "Examples" in result.out


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['wavigil', '--help']\nfrom daemon.cli import main\n"
    code += "try:\n  main()\nfinally:\n  print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "typer" in loaded
    assert not loaded & {
        "aiohttp",
        "pydantic",
        "sqlalchemy",
        "thespian",
        "yaml",
        "prometheus_client",
        "segno",
        "asyncio",
    }
