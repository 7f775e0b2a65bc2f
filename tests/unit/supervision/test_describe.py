"""What the tree shows of a process, and what is remembered of one that a child owns."""

import os
from dataclasses import replace

import pytest

from actors.messages.supervision import Heartbeat, OwnedProcess, ServiceSample
from actors.supervision import describe, owned
from actors.supervision.state import Child, Exit, Phase
from tests.unit.supervision.kit import spec


def process(pid: int = 7, status: int | None = None) -> OwnedProcess:
    return OwnedProcess("shard-0/connector", "connector-process", pid, "1.0", started=90.0, status=status)


@pytest.mark.parametrize(
    ("exit_", "signal"),
    [
        (Exit("signal", 9), "SIGKILL"),
        (Exit("hung", 9), "SIGKILL"),
        (Exit("code", 9), None),
        (Exit("signal", 63), None),
        (Exit("not_started"), None),
    ],
)
def test_an_exit_names_its_signal(exit_: Exit, signal: str | None) -> None:
    described = describe.exit_(exit_)
    assert described == {"how": exit_.how, "value": exit_.value, "signal": signal, "at": 0.0, "why": None}


def test_an_exit_of_an_owned_process_says_what_it_was_ended_for() -> None:
    ended = replace(process(status=-9), why="flood: it sends too much")
    known = owned.seen(owned.seen(None, process(), 1.0), ended, 2.0)
    assert known.last_exit == Exit("signal", 9, 2.0, "flood: it sends too much")
    after = owned.seen(owned.owner_ended(known, Exit("code", 72, 3.0)), process(pid=8), 4.0)
    assert describe.owned_node(after, None, 100.0, memory=False)["lastExit"]["why"] == "flood: it sends too much"


def test_a_running_child_is_described_from_its_last_heartbeat() -> None:
    sample = ServiceSample({"ok": True})
    beat = Heartbeat("a", 1, sample, sent=99.0, mailbox_age=0.25, dropped=3, pss=4_000_000)
    child = Child(spec("a"), phase=Phase.RUNNING, since=40.0, last_beat=98.0, restarts=2)
    node = describe.child_node(child, os.getpid(), beat, 100.0, memory=True)
    assert (node["uptimeSeconds"], node["heartbeatAgeSeconds"], node["restarts"]) == (60.0, 2.0, 2)
    assert (node["mailboxAgeSeconds"], node["droppedMessages"], node["pssBytes"]) == (0.25, 3, 4_000_000)
    assert node["store"] == {"ok": True}
    assert node["rssBytes"] > 1_000_000


def test_memory_is_read_only_on_request_and_a_dead_child_has_none() -> None:
    child = Child(spec("a"), phase=Phase.WAITING)
    assert describe.child_node(child, os.getpid(), None, 1.0, memory=False)["rssBytes"] is None
    assert describe.child_node(child, None, None, 1.0, memory=True)["rssBytes"] is None


def test_an_owned_process_has_its_own_restarts_and_exits() -> None:
    known = owned.seen(None, process(), 1000.0)
    assert owned.seen(known, process(), 1001.0) == known
    known = owned.seen(known, process(status=-9), 1002.0)
    assert known.last_exit == Exit("signal", 9, 1002.0)
    assert owned.owner_ended(known, Exit("code", 72, 1003.0)) == known  # it was first
    known = owned.seen(known, process(pid=8), 1004.0)
    assert (known.restarts, known.running) == (1, True)
    node = describe.owned_node(known, None, 100.0, memory=False)
    assert (node["pid"], node["state"], node["uptimeSeconds"]) == (8, "running", 10.0)
    assert node["lastExit"]["signal"] == "SIGKILL"


@pytest.mark.parametrize(("how", "told"), [("signal", "with_owner"), ("hung", "with_owner"), ("asked", "asked")])
def test_an_owned_process_goes_with_its_owner(how: str, told: str) -> None:
    known = owned.owner_ended(owned.seen(None, process(), 1.0), Exit(how, 9, 2.0))
    assert known.last_exit == Exit(told, None, 2.0)
    node = describe.owned_node(known, None, 100.0, memory=True)
    assert (node["pid"], node["state"], node["rssBytes"], node["pssBytes"]) == (None, "stopped", None, None)


def test_a_spare_is_shown_while_its_owner_tells_of_it() -> None:
    spare = OwnedProcess("shard-0/spare", "connector-spare", os.getpid(), "", started=90.0)
    beat = Heartbeat("host", 1, ServiceSample(spare=spare), sent=99.0, mailbox_age=0.0, dropped=0)
    node = describe.spare_node(beat, 100.0, memory=True)
    assert node is not None
    assert (node["id"], node["kind"], node["state"], node["uptimeSeconds"]) == (
        "shard-0/spare",
        "connector-spare",
        "running",
        10.0,
    )
    assert node["pssBytes"] > 1_000_000
    assert describe.spare_node(replace(beat, sample=ServiceSample()), 100.0, memory=True) is None
    assert describe.spare_node(replace(beat, sample=None), 100.0, memory=True) is None
    assert describe.spare_node(None, 100.0, memory=True) is None
