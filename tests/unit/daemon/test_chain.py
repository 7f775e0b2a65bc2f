"""What main knows of the processes above the tree."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from daemon.chain import Chain, uptime


@pytest.fixture
def child() -> Iterator[int]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process.pid
        process.kill()


def by_id(chain: Chain, *, memory: bool = False) -> dict[str, dict[str, object]]:
    return {str(node["id"]): node for node in chain.above(memory=memory)}


def test_before_the_actors_are_up_there_are_main_and_keeper(child: int) -> None:
    nodes = by_id(Chain(child), memory=True)
    assert list(nodes) == ["main", "keeper", "launcher", "admin", "logger"]
    assert [node["state"] for node in nodes.values()] == ["running", "running", "stopped", "stopped", "stopped"]
    assert nodes["main"]["pid"] == os.getpid()
    pss = nodes["main"]["pssBytes"]
    assert isinstance(pss, int)
    assert pss > 1_000_000


def test_an_actor_system_started_afresh_counts_as_a_restart_of_launcher_admin_and_root(child: int) -> None:
    chain = Chain(child)
    chain.up(launcher=child, admin=os.getpid(), root=1)
    assert by_id(chain)["launcher"]["restarts"] == 0
    chain.lost()
    chain.up(launcher=os.getpid(), admin=child, root=2)
    nodes = by_id(chain)
    root: dict[str, object] = {}
    chain.tell_root(root)
    for node in (nodes["launcher"], nodes["admin"], root):
        assert node["restarts"] == 1
        exit_ = node["lastExit"]
        assert isinstance(exit_, dict)
        assert exit_["how"] == "lost"


def test_uptime_is_that_of_the_process(child: int) -> None:
    own, younger = uptime(os.getpid()), uptime(child)
    assert own is not None
    assert younger is not None
    assert 0.0 <= younger <= own
    assert uptime(2**22 + 1) is None
