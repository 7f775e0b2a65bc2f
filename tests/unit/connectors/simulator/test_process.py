"""The simulator's process, started wrongly; started rightly it stands in the contract suite."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from actors.connectors.protocol import Admission, StartLine

ROOT = Path(__file__).parents[4]
START = StartLine("simulator", "/nowhere/c.sock", "/nowhere/v.sock", "test", {}, Admission()).to_wire()


def started_with(line: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "actors.connectors.simulator"]
    return subprocess.run(command, cwd=ROOT, input=line, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("\n", "on standard input"),
        ("not json\n", "on standard input"),
        (json.dumps({**START, "protocol": 2}) + "\n", "protocol: expected 1, got 2"),
        (json.dumps({**START, "options": {"seed": "x"}}) + "\n", "options.seed: expected a whole number"),
    ],
    ids=["nothing", "no JSON", "another protocol", "a bad option"],
)
def test_wrong_start_line_is_said_and_exits_with_2(line: str, problem: str) -> None:
    done = started_with(line)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_one_that_is_not_needed_ends_without_a_word() -> None:
    done = started_with("")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
