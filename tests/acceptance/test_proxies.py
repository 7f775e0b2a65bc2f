"""Sessions with a proxy in a running daemon: configured, changed by a reload and over the API, and never passed by."""

from pathlib import Path
from typing import Any

import pytest

from actors.connectors.node import find_node
from tests.fixtures_daemon import Daemon, running_daemon, until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

PASSWORD = "zk7-secret-zk7"
NOWHERE, SOMEWHERE = (f"socks5://user:{PASSWORD}@{host}:1080" for host in ("nowhere.invalid", "somewhere.example"))
PLAIN = Path(__file__).parents[1] / "contract" / "plain" / "main.mjs"


def configuration(**urls: str) -> dict[str, Any]:
    return {
        "proxies": [{"name": name, "url": url} for name, url in urls.items()],
        "sessions": [
            {"id": "direct", "connector": "simulator"},
            {"id": "through", "connector": "simulator", "proxy": "one"},
            {"id": "foreign", "connector": "external", "proxy": "one"},
        ],
        "connectors": {"external": {"command": [str(find_node().path), str(PLAIN)]}},
        "supervision": {"heartbeat": "200ms", "heartbeat_timeout": "5s", "tick": "100ms"},
    }


async def cause(daemon: Daemon, session: str) -> str | None:
    told = (await daemon.status(session))["statusMetadata"]["cause"]
    return None if told is None else str(told["name"])


async def until_cause(daemon: Daemon, session: str, name: str) -> dict[str, Any]:
    async def there() -> bool:
        return await cause(daemon, session) == name

    await until(f"{session} has the cause {name}", there)
    return await daemon.status(session)


def stored(daemon: Daemon) -> list[Path]:
    return list(daemon.state_dir.glob("*.db*"))


async def test_a_proxy_is_gone_through_changed_and_never_passed_by(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, configuration(one=NOWHERE, two=SOMEWHERE)) as daemon:
        await daemon.until_status("direct", "connected")
        status = await until_cause(daemon, "through", "proxy_failed")
        assert status["proxy"] == "one"
        assert status["statusMetadata"]["cause"]["detail"]["proxy"] == "unreachable"
        before = await daemon.marks("direct")

        # a connector that can't: nothing is opened
        code, told = await daemon.call("GET", "/api/sessions/foreign/pairing?wait=20s")
        assert code == 409, told
        halted = await until_cause(daemon, "foreign", "proxy_unusable")
        assert halted["state"] == "halted"
        assert halted["statusMetadata"]["cause"]["detail"]["proxy"] == "unsupported"

        # sessions of the API name what there is
        body = {"id": "made", "connector": "simulator", "proxy": "three"}
        code, told = await daemon.call("POST", "/api/sessions", json=body)
        assert (code, "there are one, two" in str(told)) == (422, True), told
        code, told = await daemon.call("POST", "/api/sessions", json={**body, "proxy": "two"})
        assert (code, told["proxy"]) == (201, "two")
        await daemon.until_status("made", "connected")

        # the same proxy somewhere else: only its sessions move, at once
        daemon.config = {**daemon.config, **configuration(one=SOMEWHERE, two=SOMEWHERE)}
        assert (await daemon.reload())["settings"] == ["proxies"]
        await daemon.until_status("through", "connected")
        assert await daemon.marks("direct") == before

        # another one over the API moves an open connection
        await daemon.call("PATCH", "/api/sessions/made", json={"proxy": "one"})
        daemon.config = {**daemon.config, **configuration(one=NOWHERE, two=SOMEWHERE)}
        await daemon.reload()
        for session in ("made", "through"):
            await until_cause(daemon, session, "proxy_failed")
        code, told = await daemon.call("PATCH", "/api/sessions/made", json={"proxy": None})
        assert (code, told["proxy"]) == (200, None)
        await daemon.until_status("made", "connected")

        # one that a session of the API names is not taken away
        await daemon.call("PATCH", "/api/sessions/made", json={"proxy": "two"})
        daemon.config = {**daemon.config, **configuration(one=NOWHERE)}
        daemon.write_config()
        code, told = await daemon.call("POST", "/api/reload")
        assert (code, "'made' of the API has the proxy 'two'" in str(told)) == (409, True), told
        assert (await daemon.status("made"))["proxy"] == "two"

        # a file that names none: who was halted for it goes on
        without = configuration()
        for spec in without["sessions"]:
            spec.pop("proxy", None)
        await daemon.call("PATCH", "/api/sessions/made", json={"proxy": None})
        daemon.config = {**daemon.config, **without}
        await daemon.reload()
        await daemon.until_status("through", "connected")
        await daemon.until_status("foreign", "pairing")

        shown = [daemon.log, str(await daemon.get("/api/audit?limit=500")), str(await daemon.tree())]
        shown += [str(await daemon.get(path)) for path in ("/api/sessions", "/api/whatsapp-status/bulk", "/metrics")]
        for text in shown:
            assert PASSWORD not in text
            assert "somewhere.example" not in text
        assert not [path for path in stored(daemon) if PASSWORD.encode() in path.read_bytes()]
