"""Linked devices moved between a plain Baileys client with its folder and wavigil, both ways, without a new pairing."""

import asyncio
import json
import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.connectors.baileys.multifile import file_name
from actors.connectors.node import find_node
from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.fixtures_fleet import configuration
from tests.labclient import ROOT, Lab
from tests.unit.connectors.baileys_states import app_state, entries

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

PHONE, CONTACT = "15550107001", "15550107002"
LARGE = "app-state-sync-version/regular"


class FolderClient:
    """`tests/lab/folder-client.mjs`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def next(self, wanted: str) -> Any:
        """The value of the next line that has this key."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            while line := await self._process.stdout.readline():
                said = json.loads(line)
                assert wanted == "closed" or "closed" not in said, said
                if wanted in said:
                    return said[wanted]
        raise AssertionError(f"the client ended without {wanted}")

    def send(self, to: str, text: str) -> None:
        """Has it send a text."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"to": to, "text": text}).encode() + b"\n")


@asynccontextmanager
async def folder_client(lab: Lab, folder: Path) -> AsyncIterator[FolderClient]:
    """A client that ends, its folder written, with the block."""
    pipe = asyncio.subprocess.PIPE
    node = (await asyncio.to_thread(find_node)).path
    command = (node, ROOT / "folder-client.mjs", folder, lab.ws_url, lab.root_key)
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        yield FolderClient(process)
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(10):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def exchange(lab: Lab, client: FolderClient, text: str) -> None:
    """A message each way, decrypted at both ends."""
    client.send(CONTACT, text)
    await client.next("acked")
    await read_by_contact(lab, text)
    await lab.deliver(PHONE, CONTACT, f"answer to {text}")
    assert await client.next("received") == f"answer to {text}"


async def read_by_contact(lab: Lab, text: str) -> None:
    async def read() -> bool:
        return text in [message.text for message in await lab.messages()]

    await until(f"the contact's phone read {text!r}", read)


async def exchange_by_wavigil(lab: Lab, daemon: Daemon, text: str) -> None:
    counts = (await daemon.status("alpha"))["statusMetadata"]["counts"]
    status, body = await daemon.call(
        "POST", "/api/sessions/alpha/messages", json={"to": CONTACT, "text": text, "wait": "20s"}
    )
    assert status == 200, body
    await read_by_contact(lab, text)
    await lab.deliver(PHONE, CONTACT, f"answer to {text}")

    async def received() -> bool:
        now = (await daemon.status("alpha"))["statusMetadata"]["counts"]
        return bool(now.get("received", 0) > counts.get("received", 0) and now.get("undecryptable", 0) == 0)

    await until("alpha read the answer", received)


async def wavigil(daemon: Daemon, *words: str) -> tuple[int | None, str]:
    """A command of two words and its arguments: exit status and output."""
    where = ["--url", daemon.url, "--token-file", str(daemon.state_dir / "admin.token")]
    process = await daemon.run(*words[:2], *where, *words[2:])
    output, _ = await process.communicate()
    return process.returncode, output.decode()


def modes(folder: Path) -> tuple[int, set[int]]:
    """Of a folder and of the files in it."""
    return stat.S_IMODE(folder.stat().st_mode), {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def test_a_device_moves_in_and_out(short_tmp: Path) -> None:
    folder, exported = short_tmp / "auth_info_baileys", short_tmp / "exported"
    async with Lab(defaults={"preKeyCount": 100, "decrypt": True}) as lab:
        async with folder_client(lab, folder) as client:
            await lab.scan(await client.next("qr"), PHONE)
            await client.next("open")
            await exchange(lab, client, "from the folder")
        (folder / file_name(LARGE)).write_bytes(entries({LARGE: app_state(25_000)})[LARGE])  # more than 3 MB
        config = configuration(lab) | {"sessions": [{"id": "alpha", "connector": "baileys"}]}
        async with running_daemon(short_tmp, config) as daemon:
            await in_and_out(lab, daemon, folder, exported)
            keys = json.loads((exported / "creds.json").read_text())
            assert keys["noiseKey"]["private"]["data"] not in daemon.log
        assert len(await lab.journal("paired")) == 1


async def in_and_out(lab: Lab, daemon: Daemon, folder: Path, exported: Path) -> None:
    # not under a session that is not stopped, and not what is broken; nothing changes
    status, output = await wavigil(daemon, "auth", "import", "alpha", str(folder))
    assert (status, "sessions stop alpha" in output) == (1, True), output
    assert (await wavigil(daemon, "sessions", "stop", "alpha"))[0] == 0
    broken = folder.with_name("broken")
    shutil.copytree(folder, broken)
    (broken / "creds.json").write_bytes(b"")
    status, output = await wavigil(daemon, "auth", "import", "alpha", str(broken))
    assert (status, "creds.json is empty (0 bytes)" in output) == (1, True), output
    status, output = await wavigil(daemon, "auth", "export", "alpha", str(exported))
    assert (status, "is not paired" in output) == (1, True), output

    # in: it logs in with what the folder has
    status, output = await wavigil(daemon, "auth", "import", "alpha", str(folder))
    assert status == 0, output
    await wavigil(daemon, "sessions", "start", "alpha")
    await daemon.until_status("alpha", "connected")
    await exchange_by_wavigil(lab, daemon, "from wavigil")
    status, output = await wavigil(daemon, "auth", "export", "alpha", str(exported))
    assert (status, "only be taken while it is stopped" in output) == (1, True), output

    # the folder is old now
    await wavigil(daemon, "sessions", "stop", "alpha")
    status, output = await wavigil(daemon, "auth", "import", "alpha", str(folder))
    assert (status, "older than what session" in output) == (1, True), output

    # out: the plain client goes on with it
    status, output = await wavigil(daemon, "auth", "export", "alpha", str(exported))
    assert status == 0, output
    assert modes(exported) == (0o700, {0o600})
    assert (exported / file_name(LARGE)).read_bytes() == (folder / file_name(LARGE)).read_bytes()
    async with folder_client(lab, exported) as client:
        await client.next("open")
        await exchange(lab, client, "from the exported folder")

    # and in again, since it is newer now
    status, output = await wavigil(daemon, "auth", "import", "alpha", str(exported))
    assert status == 0, output
    await wavigil(daemon, "sessions", "start", "alpha")
    await daemon.until_status("alpha", "connected")
    await exchange_by_wavigil(lab, daemon, "from wavigil again")

    audit = (await daemon.get("/api/audit?action=auth"))["entries"]
    assert [(entry["action"], entry["outcome"]) for entry in reversed(audit)] == [
        ("auth.import", "conflict"),
        ("auth.export", "conflict"),
        ("auth.import", "done"),
        ("auth.export", "conflict"),
        ("auth.import", "conflict"),
        ("auth.export", "done"),
        ("auth.import", "done"),
    ]
