"""The configuration is changed under a running daemon: by SIGHUP, by the command line, over the API."""

import asyncio
import json
import os
import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

TOKENS = {"old": "0123456789-old-token", "new": "0123456789-new-token"}


def simulated(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "connector": "simulator", **more}


def configuration(*sessions: dict[str, Any]) -> dict[str, Any]:
    return {
        "sessions": list(sessions),
        "supervision": {"heartbeat": "200ms", "heartbeat_timeout": "5s", "tick": "100ms"},
        "http": {"tokens": [{"name": "shop", "role": "viewer", "token": TOKENS["old"]}]},
    }


def hang_up(daemon: Daemon) -> int:
    """SIGHUP; returns how much of the log is older."""
    assert daemon.process is not None
    seen = len(daemon.log)
    daemon.process.send_signal(signal.SIGHUP)
    return seen


async def logged(daemon: Daemon, seen: int, pattern: str) -> str:
    match = await until(f"{pattern!r} is logged", lambda: re.search(pattern, daemon.log[seen:]))
    return str(match[0])


async def wavigil(daemon: Daemon, *words: str) -> tuple[int, str]:
    command = await daemon.command(*words)
    output, _ = await command.communicate()
    assert command.returncode is not None
    return command.returncode, output.decode()


async def gone(daemon: Daemon, id: str) -> None:
    async def is_gone() -> bool:
        return f"'id': '{id}'" not in str(await daemon.tree())

    await until(f"{id} left the tree", is_gone)


def stored(daemon: Daemon, database: str, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{daemon.state_dir}/{database}.db?mode=ro", uri=True)) as conn:
        return list(conn.execute(query))


async def metric(daemon: Daemon, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", await daemon.get("/metrics"), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


async def who_may(daemon: Daemon, token: str) -> int:
    status, _ = await daemon.call("GET", "/api/sessions", headers={"Authorization": f"Bearer {TOKENS[token]}"})
    return status


async def test_sessions_come_and_go_and_the_others_do_not_notice(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, configuration(*map(simulated, ("stays", "goes", "turns")))) as daemon:
        for id in ("stays", "goes", "turns"):
            await daemon.until_status(id, "connected")
        before = await daemon.marks("stays", "turns")
        paired = await daemon.status("goes")

        # one goes, one comes, labels of one change, by signal
        daemon.config["sessions"] = [simulated("stays"), simulated("turns", labels={"team": "b"}), simulated("comes")]
        daemon.write_config()
        line = await logged(daemon, hang_up(daemon), "the configuration was reloaded.*")
        assert line.endswith("by SIGHUP: added comes; removed goes; changed turns; 1 sessions unchanged")
        await daemon.until_status("comes", "connected")
        await gone(daemon, "goes")
        assert (await daemon.call("GET", "/api/sessions/goes"))[0] == 404
        assert 'session="goes"' not in await daemon.get("/metrics")
        assert (await daemon.get("/api/sessions/turns"))["labels"] == {"team": "b"}
        assert stored(daemon, "vault", "SELECT paired FROM sessions WHERE session = 'goes'") == [(1,)]

        # the one that went comes back with its auth state, by command; a dry run before it changes nothing
        daemon.config["sessions"] = [simulated("stays"), simulated("turns", enabled=False), simulated("goes")]
        daemon.write_config()
        status, output = await wavigil(daemon, "reload", "--dry-run", "--json")
        assert status == 0, output
        planned = json.loads(output)
        assert (planned["dryRun"], planned["added"], planned["removed"]) == (True, ["goes"], ["comes"])
        assert planned["changed"] == [{"sessionId": "turns", "fields": ["labels", "enabled"]}]
        assert (await daemon.call("GET", "/api/sessions/goes"))[0] == 404
        status, output = await wavigil(daemon, "reload")
        assert (status, output.splitlines()[1:]) == (
            0,
            ["  added: goes", "  removed: comes", "  changed: turns (labels, enabled)", "  unchanged: 1 sessions"],
        )
        again = await daemon.until_status("goes", "connected")
        assert again["statusMetadata"]["generation"] > paired["statusMetadata"]["generation"]
        await daemon.until_status("turns", "stopped")
        assert (await daemon.marks("stays"))["stays"] == before["stays"]
        assert (await daemon.node("turns"))["pid"] == before["turns"][0]
        entries = (await daemon.get("/api/audit?action=config.reload"))["entries"]
        assert [(entry["who"], entry["outcome"]) for entry in entries] == [("admin", "done")] * 2 + [
            ("wavigil", "done")
        ]
        assert entries[2]["detail"]["removed"] == ["goes"]
        assert entries[0]["detail"]["changed"] == {"turns": ["labels", "enabled"]}


WRONG = {
    "not YAML": "sessions: [",
    "an unknown key": "sesions: []",
    "two wrong values": "log: {level: loud}\nhttp: {max_body: 3}",
    "a certificate that is none": "http: {tls: {certificate: FILE, key: FILE}}",
}


async def test_a_bad_file_changes_nothing_and_says_why(short_tmp: Path) -> None:
    success_at = "wavigil_config_last_reload_success_timestamp_seconds"
    async with running_daemon(short_tmp, configuration(simulated("stays"))) as daemon:
        await daemon.until_status("stays", "connected")
        before, at = await daemon.marks("stays"), await metric(daemon, success_at)
        good = daemon.config_file.read_text()
        problem: dict[str, Any] = {}
        for text in WRONG.values():
            daemon.config_file.write_text(text.replace("FILE", str(daemon.config_file)))
            status, problem = await daemon.call("POST", "/api/reload")
            assert (status, problem["type"]) == (422, "/problems/configuration"), problem
            for found, error in zip(problem["context"]["problems"], problem["errors"], strict=True):
                assert found["expected"]
                place = f"{daemon.config_file}:{found['line']}:{found['column']}: "
                assert error["detail"].startswith(place), error
        status, output = await wavigil(daemon, "reload")
        assert status == 2
        assert problem["errors"][0]["detail"] in output
        await logged(daemon, hang_up(daemon), r"was not reloaded, nothing was changed:\n.*http\.tls")
        assert await metric(daemon, "wavigil_config_last_reload_successful") == 0
        assert await metric(daemon, success_at) == at
        assert await who_may(daemon, "old") == 200
        daemon.config_file.write_text(good)
        await logged(daemon, hang_up(daemon), "the configuration was reloaded")
        assert await metric(daemon, "wavigil_config_last_reload_successful") == 1
        assert await metric(daemon, success_at) > at
        assert await daemon.marks("stays") == before

        # now what is right: each setting takes effect, or is named
        services = {id: (await daemon.node(id))["pid"] for id in ("vault", "gateway", "health", "shard-0/connector")}
        assert [await who_may(daemon, token) for token in ("old", "new")] == [200, 401]
        daemon.config["http"] = {
            "tokens": [{"name": "shop", "role": "viewer", "token": TOKENS["new"]}],
            "max_body": "1KiB",
        }
        daemon.config["log"] = {"level": "warning", "format": "json"}
        daemon.config["connectors"] = {
            "simulator": {"connects_per_second": 7, "heartbeat": "200ms", "heartbeat_timeout": "150ms"}
        }
        daemon.config["health"] = {"stale_after": "20s"}
        done = await daemon.reload()
        assert set(done["settings"]) == {
            "log.level",
            "http.tokens",
            "http.max_body",
            "connectors.simulator.connects_per_second",
            "connectors.simulator.heartbeat",
            "connectors.simulator.heartbeat_timeout",
            "health.stale_after",
        }
        assert done["restartNeeded"] == ["log.format"]
        assert await metric(daemon, "wavigil_config_restart_needed") == 1
        assert [await who_may(daemon, token) for token in ("old", "new")] == [401, 200]
        body = {"to": "15550100009", "text": "x" * 2000}
        assert (await daemon.call("POST", "/api/sessions/stays/messages", json=body))[0] == 413

        async def restarted() -> bool:
            return bool((await daemon.node("health"))["pid"] != services["health"])

        await until("health has its new settings", restarted)
        counted = int((await daemon.status("stays"))["statusMetadata"]["counts"].get("heartbeats", 0))

        async def beating() -> bool:
            counts = (await daemon.status("stays"))["statusMetadata"]["counts"]
            return int(counts.get("heartbeats", 0)) > counted + 5  # one each 10 s before

        await until("the open connection has the new heartbeat", beating)
        seen = len(daemon.log)
        await daemon.call("POST", "/api/sessions/stays/stop")
        await daemon.until_status("stays", "stopped")
        await daemon.call("POST", "/api/sessions/stays/start")
        await daemon.until_status("stays", "connected")
        assert not re.search("INFO", daemon.log[seen:])  # neither main nor the session's actor
        # until it agrees again
        del daemon.config["log"]
        done = await daemon.reload()
        assert (done["settings"], done["restartNeeded"]) == (["log.level"], [])
        assert await metric(daemon, "wavigil_config_restart_needed") == 0
        await logged(daemon, seen, "POST /api/reload 200")
        assert (await daemon.marks("stays"))["stays"][:3] == before["stays"][:3]
        del services["health"]
        assert {id: (await daemon.node(id))["pid"] for id in services} == services
        assert not any(token in daemon.log for token in TOKENS.values())


async def test_file_and_api_own_the_same_session(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, configuration(simulated("file-0"))) as daemon:
        made = {"id": "made-0", "connector": "simulator", "labels": {"team": "api"}}
        assert (await daemon.call("POST", "/api/sessions", json=made))[0] == 201
        await daemon.until_status("made-0", "connected")
        assert (await daemon.call("POST", "/api/sessions/file-0/stop"))[0] == 202
        await daemon.until_status("file-0", "stopped")
        before = await daemon.marks("made-0")

        daemon.config["sessions"] = [simulated("file-0", labels={"team": "file"}), simulated("made-0")]
        done = await daemon.reload()
        assert (done["takenOver"], done["added"]) == (["made-0"], [])
        assert (await daemon.get("/api/sessions/made-0"))["origin"] == "file"
        assert (await daemon.call("DELETE", "/api/sessions/made-0"))[0] == 409
        assert await daemon.marks("made-0") == before
        # the operator's wish holds, until the file changes its mind
        assert (await daemon.status("file-0"))["status"] == "stopped"
        daemon.config["sessions"][0]["enabled"] = False
        await daemon.reload()
        daemon.config["sessions"][0]["enabled"] = True
        await daemon.reload()
        await daemon.until_status("file-0", "connected")

        daemon.config["sessions"] = [simulated("file-0")]
        done = await daemon.reload()
        assert (done["givenBack"], done["removed"]) == (["made-0"], [])
        session = await daemon.get("/api/sessions/made-0")
        assert (session["origin"], session["labels"]) == ("api", {"team": "api"})
        assert await daemon.marks("made-0") == before


async def test_while_the_actors_start_afresh_and_main_is_killed(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, configuration(simulated("stays"))) as daemon:
        await daemon.until_status("stays", "connected")
        os.kill((await daemon.node("root"))["pid"], signal.SIGKILL)
        daemon.config["sessions"] = [simulated("stays"), simulated("comes")]
        assert (await daemon.reload())["added"] == ["comes"]
        for id in ("stays", "comes"):
            await daemon.until_status(id, "connected")

        # killed in the middle: the next start has the fleet of the file
        daemon.config["sessions"] = [simulated(f"many-{number}") for number in range(3)]
        daemon.write_config()
        assert daemon.process is not None
        daemon.processes()
        hang_up(daemon)
        daemon.process.kill()
        await daemon.process.wait()
        await until("nothing is left", lambda: not daemon.remaining())
        old, seen = (daemon.state_dir / "lock").read_text(), len(daemon.log)
        starting = asyncio.ensure_future(daemon.start())
        # during the start it waits for its end
        await until("it starts", lambda: (daemon.state_dir / "lock").read_text() not in {old, ""})
        hang_up(daemon)
        await starting
        await logged(daemon, seen, "reloaded by SIGHUP: 3 sessions unchanged")
        sessions = (await daemon.get("/api/sessions"))["sessions"]
        assert [session["id"] for session in sessions] == ["many-0", "many-1", "many-2"]
        for number in range(3):
            await daemon.until_status(f"many-{number}", "connected")
