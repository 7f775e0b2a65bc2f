"""What the supervision tree tells of the processes that there are."""

import os
from pathlib import Path
from typing import Any

import pytest

from actors.session.actor import NICENESS
from tests.fixtures_daemon import running_daemon, until
from tests.fixtures_processes import PATIENCE, fleet, nodes, well

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]


async def test_the_tree_tells_of_every_process_and_how_it_ended(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, fleet()) as daemon:
        await until("all are connected", lambda: well(daemon), PATIENCE)
        for victim in ("sim-1", "shard-0/connector"):
            killed = await daemon.kill(victim)

            async def told(victim: str = victim, killed: int = killed) -> dict[str, Any] | None:
                node = next((node for node in nodes(await daemon.tree()) if node["id"] == victim), None)
                return node if node is not None and node["pid"] not in {None, killed} and node["lastExit"] else None

            node = await until(f"another {victim}", told, PATIENCE)
            assert (node["lastExit"]["how"], node["lastExit"]["signal"], node["restarts"]) == ("signal", "SIGKILL", 1)
        await until("all are connected again", lambda: well(daemon), PATIENCE)

        async def complete() -> dict[str, Any] | None:
            tree = await daemon.tree()
            silent = [n for n in nodes(tree) if n["mailboxAgeSeconds"] is None and n["kind"] != "connector-process"]
            return None if silent else tree

        tree = await until("each has sent a heartbeat", complete, PATIENCE)
        shown = [*nodes(tree), *tree["above"]]
        assert {node["pid"] for node in shown} == {process.pid for process in daemon.processes()}
        for node in shown:
            assert node["rssBytes"] > 1_000_000, node
            assert node["uptimeSeconds"] >= 0, node
            assert node["state"] == "running"
        assert not any(node["droppedMessages"] for node in nodes(tree))
        others = {os.getpriority(os.PRIO_PROCESS, node["pid"]) for node in shown if node["kind"] != "session"}
        sessions = {os.getpriority(os.PRIO_PROCESS, node["pid"]) for node in shown if node["kind"] == "session"}
        assert (others, sessions) == ({main := os.getpriority(os.PRIO_PROCESS, 0)}, {min(main + NICENESS, 19)})
        [launcher] = [node for node in tree["above"] if node["id"] == "launcher"]
        root = tree["pid"]
        await daemon.kill("root")

        async def afresh() -> dict[str, Any] | None:
            status, tree = await daemon.call("GET", "/api/supervision")
            return tree if status == 200 and tree["pid"] not in {None, root} else None

        tree = await until("another root", afresh, PATIENCE)
        above = {node["id"]: node for node in tree["above"]}
        assert above["launcher"]["pid"] != launcher["pid"]
        for node in (tree, above["launcher"], above["admin"]):
            assert (node["restarts"], node["lastExit"]["how"]) == (1, "lost")
        assert above["keeper"]["restarts"] == 0
