"""`wavigil recovery …`: what it shows and does, and what it says when it can't."""

import json
import time

from actors.store.records import Episode
from tests.fixtures_cli import Shell
from tests.memory_backend import MemoryBackend


async def test_a_maintenance_window(wavigil: Shell, memory: MemoryBackend) -> None:
    made = await wavigil("recovery", "pause", "--label", "team:a", "--for", "2h", "--reason", "new proxy")
    assert made.out == "pause 1 of team:a: 2 sessions now, for 2h\n"
    made = await wavigil("recovery", "pause", "opens-1")
    assert made.out == "pause 2 of opens-1: 1 session now, until: wavigil recovery resume 2\n"
    assert "No session has that label" in (await wavigil("recovery", "pause", "-l", "team:none")).out
    lines = (await wavigil("recovery", "pauses")).out.splitlines()
    assert lines[1].split()[:3] == ["1", "team:a", "2"]
    assert "until ended" in lines[2]
    assert [p["id"] for p in json.loads((await wavigil("recovery", "pauses", "--json")).out)] == [1, 2, 3]
    shown = (await wavigil("status", "opens-1")).out
    assert "Recovery is paused (1, 2), until somebody ends it: its connection is not touched\n  new proxy" in shown
    assert (await wavigil("recovery", "resume", "opens-1")).out == "pause 2 has ended\n"
    none_of_its_own = await wavigil("recovery", "resume", "opens-1")
    assert none_of_its_own.status == 1
    assert "It is covered by 1 (team:a)" in none_of_its_own.err
    assert "not paused at all" in (await wavigil("recovery", "resume", "unpaired-1")).err
    assert (await wavigil("recovery", "resume", "9")).status == 1
    assert (await wavigil("recovery", "resume", "--all")).out == "pause 1 has ended\npause 3 has ended\n"
    assert (await wavigil("recovery", "resume", "--all")).out == "nothing was paused\n"


async def test_wrong_usage(wavigil: Shell) -> None:
    for words in (
        ("pause",),
        ("pause", "opens-1", "--all"),
        ("pause", "--all", "--for", "1h", "--until", "2099-01-01"),
        ("pause", "--all", "--for", "forever"),
        ("pause", "--all", "--label", "team"),
        ("pause", "--all", "--until", "2001-01-01"),
        ("resume",),
        ("resume", "1", "--all"),
    ):
        result = await wavigil("recovery", *words)
        assert (result.status, result.out) == (2, ""), words
        assert result.err.startswith("wavigil: ")
    unknown = await wavigil("recovery", "pause", "nobody-1")
    assert unknown.status == 1
    assert "GET /api/sessions" in unknown.err


async def test_why_a_session_is_not_healed(wavigil: Shell, memory: MemoryBackend) -> None:
    assert "opens-1 is open" in (await wavigil("recovery", "explain", "opens-1")).out
    data = {"lastCause": "deaf", "openedAt": time.time() - 600.0, "doubt": "deaf", "doubtAt": time.time()}
    began = time.time() - 300.0
    memory.recovery.ledger.append(Episode(50, "opens-1", "deaf", "reconnect", 2, began, data=data, detected_at=began))
    await wavigil("recovery", "pause", "opens-1")
    shown = (await wavigil("recovery", "explain", "opens-1")).out
    assert "Recovery is paused, until somebody ends it." in shown
    assert json.loads((await wavigil("recovery", "explain", "opens-1", "--json")).out)["paused"]
    assert "opens-1 is open" in (await wavigil("recovery", "explain", "opens-1", "--at", "5m")).out
    assert (await wavigil("recovery", "explain", "nobody-1")).status == 1
    assert (await wavigil("recovery", "explain", "opens-1", "--at", "2999-01-01")).status == 2
    assert (await wavigil("recovery", "explain", "opens-1", "--at", "soon")).status == 2


async def test_a_strategy_is_forced(wavigil: Shell, memory: MemoryBackend) -> None:
    assert (await wavigil("recovery", "force", "opens-1", "restart")).out == "opens-1: restart is under way\n"
    assert "operationId" in json.loads((await wavigil("recovery", "force", "opens-1", "reconnect", "--json")).out)
    assert [how for _, _, how in memory.recovery.forced] == ["restart", "reconnect"]
    assert (await wavigil("recovery", "force", "locked-1", "restart")).status == 1
    assert (await wavigil("recovery", "force", "opens-1", "pray")).status == 2
    assert (await wavigil("recovery", "force", "opens-1")).status == 2


async def test_the_summary_and_the_episodes(wavigil: Shell, memory: MemoryBackend) -> None:
    memory.recovery.halted("opens-1", "banned")
    await wavigil("recovery", "pause", "--all")
    shown = (await wavigil("recovery")).out
    assert [line.split()[:4] for line in shown.splitlines()[1:4]] == [
        ["banned", "1", "0", "1"],
        ["forbidden", "1", "0", "1"],
        ["all", "2", "0", "2"],
    ]
    assert "2 episodes ended since 1d ago, 0 go on, recovery of 3 sessions is paused" in shown
    assert json.loads((await wavigil("recovery", "--window", "7d", "--json")).out)["total"]["outcomes"] == {"halted": 2}
    listed = (await wavigil("recovery", "episodes", "--session", "opens-1")).out.splitlines()
    assert len(listed) == 2
    assert listed[1].split()[:2] == ["2", "opens-1"]
    assert listed[1].split()[-1] == "halted"
    assert (await wavigil("recovery", "episodes", "--open")).out.count("\n") == 1
    assert len(json.loads((await wavigil("recovery", "episodes", "--ended", "-n", "1", "--json")).out)) == 1
    one = (await wavigil("recovery", "episodes", "1")).out
    assert "locked-1" in one
    assert "stands" in one
    assert (await wavigil("recovery", "episodes", "99")).status == 1
    assert (await wavigil("recovery", "--window", "1y")).status == 2
    assert (await wavigil("recovery", "episodes", "--outcome", "good")).status == 2
    assert (await wavigil("recovery", "nonsense")).status == 2
    assert "wavigil recovery --window 90d" in (await wavigil("recovery", "--help")).out
