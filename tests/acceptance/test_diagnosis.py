"""A support bundle of a running daemon: what doctor finds in it, what else is there, and what never gets out."""

import asyncio
import json
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.fixtures_daemon import COMMAND, Daemon, running_daemon

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

MASTER_KEY = "correct horse battery staple, and four more words"
TOKEN = "shop-token-of-25-letters!"
TEXT = "the recipe of grandmother's soup"
PHONE = "15550100147"
GROUP = "120363025246125486"
WEBHOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SHORT = "zk7!x"
"""The password of a proxy, too short to be looked for: "in every other word"."""
PROXY = f"socks5://customer:{SHORT}@nowhere.invalid:1080"
ELSEWHERE = PROXY.replace("nowhere", "elsewhere")
LABELS = {"via": ELSEWHERE, "as": f"password={SHORT}"}

CONFIG: dict[str, Any] = {
    "sessions": [
        {"id": "alpha", "connector": "simulator", "labels": {"team": "support", "hook": WEBHOOK, "desk": f"+{PHONE}"}},
        {"id": "beta", "connector": "simulator", "simulator": {"paired": True, "phone": PHONE}},
        {"id": "gamma", "connector": "simulator", "proxy": "one", "labels": LABELS},
    ],
    "proxies": [{"name": "one", "url": PROXY}],
    "vault": {"master_key": MASTER_KEY},
    "http": {"tokens": [{"name": "shop", "role": "operator", "token": TOKEN}]},
    "supervision": {"heartbeat": "200ms", "heartbeat_timeout": "5s", "tick": "100ms"},
    "connectors": {"simulator": {"profile": {"paired": True}}},
    "log": {"level": "debug"},
}


async def command(daemon: Daemon, *words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *words,
        "--config",
        str(daemon.config_file),
        "--url",
        daemon.url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=daemon.directory,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode is not None
    return process.returncode, output


def members(path: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(path) as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            assert file is not None
            found[entry.name.partition("/")[2]] = file.read()
    return found


async def test_what_doctor_finds_and_what_a_bundle_holds(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, CONFIG) as daemon:
        await daemon.until_status("alpha", "connected")
        for id, to in (("order-1", PHONE), ("order-2", f"{GROUP}@g.us")):
            body = {"id": id, "to": to, "text": TEXT, "wait": "20s"}
            status, _ = await daemon.call("POST", "/api/sessions/alpha/messages", json=body)
            assert status == 200
        await daemon.call("GET", f"/api/sessions/{PHONE}")  # a path with a number, for the log
        await daemon.call("GET", f"/api/sessions?token={SHORT}&via={quote(ELSEWHERE, safe='')}")
        made: dict[str, Any] = {"id": "delta", "connector": "simulator", "labels": {"via": ELSEWHERE}}
        assert (await daemon.call("POST", "/api/sessions", json=made))[0] == 201
        assert (await daemon.call("DELETE", "/api/sessions/delta"))[0] == 204

        status, output = await command(daemon, "support-bundle", "-o", "bundle.tar.gz", "--json")
        assert status == 0, output
        target = daemon.directory / "bundle.tar.gz"
        assert target.stat().st_mode & 0o777 == 0o600
        inside = members(target)
        answer = json.loads(output)
        assert set(answer["files"]) == set(inside)

        found = {finding["name"]: finding for finding in json.loads(inside["doctor.json"])}
        assert "runs and is ready" in found["daemon"]["what"]
        assert f"pid {daemon.process.pid}" in found["daemon"]["what"]  # type: ignore[union-attr]
        assert found["reload"]["level"] == "ok"
        assert "in use" in found["memory"]["what"]
        assert "the running daemon" in found["open-files"]["what"]
        assert "nothing listens off loopback" in found["ports"]["what"]
        assert found["vault-key"]["level"] == found["databases"]["level"] == "ok"

        # everything is there …
        manifest = json.loads(inside["manifest.json"])
        assert manifest["daemon"] == "running"
        assert {part["name"] for part in manifest["files"]} == set(inside) - {"manifest.json"}
        assert manifest["missing"] == []
        assert json.loads(inside["audit.json"])["entries"][-1]["action"] == "daemon.start"
        assert [item["sessionId"] for item in json.loads(inside["status.json"])] == ["alpha", "beta", "gamma"]
        assert json.loads(inside["status.json"])[0]["labels"]["team"] == "support"
        assert json.loads(inside["supervision.json"])["id"] == "root"
        assert b"wavigil_build_info" in inside["metrics.txt"]
        assert b"alpha is open" in inside["log.txt"]
        databases = {item["file"]: item for item in json.loads(inside["databases.json"])}
        assert databases["api.db"]["rows"]["sends"] == 2
        assert databases["shard-0.db"]["outbox"]["last"] > 0
        assert databases["health.db"]["schema"].isdecimal()
        assert len(json.loads(inside["processes.json"])) > 12

        # … and nothing that must not be
        admin = (daemon.state_dir / "admin.token").read_text().strip()
        for planted in (MASTER_KEY, TOKEN, admin, TEXT, PHONE, GROUP, WEBHOOK, WEBHOOK.removeprefix("whsec_"), SHORT):
            for name, content in inside.items():
                assert planted.encode() not in content, (planted, name)
                assert json.dumps(planted)[1:-1].encode() not in content, (planted, name)
        assert PHONE not in daemon.log
        assert not list(daemon.directory.glob(".bundle*"))
