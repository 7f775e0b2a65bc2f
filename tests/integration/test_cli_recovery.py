"""`wavigil recovery …`: what it shows and does, and what it says when it can't."""

import json

from tests.fixtures_cli import Shell
from tests.memory_backend import MemoryBackend


async def test_a_maintenance_window(wavigil: Shell, memory: MemoryBackend) -> None:
    made = await wavigil("recovery", "pause", "--label", "team:a", "--for", "2h", "--reason", "new proxy")
    assert made.out == "pause 1 of team:a: 2 sessions now, ends in 1h\n"
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
