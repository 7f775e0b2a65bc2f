"""Finding Node.js: the order, the refusals, and what it says about itself."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors import node
from actors.connectors.node import NodeBinary, NodeNotFound, NodeVersion, find_node, parse_answer

numbers = st.integers(min_value=0, max_value=10**6)
paths = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])).map(lambda tail: f"/{tail}")


def program(path: Path, answer: str, *, exit_code: int = 0) -> Path:
    """A program that answers any question with the same line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nprintf '%s' '{answer}'\nexit {exit_code}\n")
    path.chmod(0o755)
    return path


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"PATH": f"{tmp_path / 'first'}:{tmp_path / 'second'}", **more}


@given(numbers, numbers, numbers, paths)
def test_what_node_answers_is_understood(major: int, minor: int, patch: int, path: str) -> None:
    assert parse_answer(f"v{major}.{minor}.{patch} {path}") == NodeBinary(Path(path), NodeVersion(major, minor, patch))


@given(st.text())
def test_anything_else_is_refused_without_an_error(text: str) -> None:
    found = parse_answer(text)
    assert found is None or text.startswith("v")


@given(st.tuples(numbers, numbers, numbers), st.tuples(numbers, numbers, numbers))
def test_versions_are_ordered_by_number(a: tuple[int, int, int], b: tuple[int, int, int]) -> None:
    assert (NodeVersion(*a) < NodeVersion(*b)) == (a < b)


def test_a_prerelease_counts_as_its_version() -> None:
    found = parse_answer("v23.0.0-nightly20240815 /opt/node/bin/node")
    assert found is not None
    assert str(found.version) == "23.0.0"


def test_the_virtual_environment_comes_before_the_path(tmp_path: Path) -> None:
    program(tmp_path / "venv/bin/node", "v24.19.0 /in/venv/node")
    program(tmp_path / "first/node", "v22.0.0 /in/path/node")
    assert find_node(environ(tmp_path), tmp_path / "venv").path == Path("/in/venv/node")


def test_too_old_and_broken_ones_are_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "venv/bin/node", "not node")
    program(tmp_path / "first/node", "v18.20.4 /usr/bin/node")
    program(tmp_path / "second/node", "v20.0.0 /usr/local/bin/node")
    found = find_node(environ(tmp_path), tmp_path / "venv")
    assert found == NodeBinary(Path("/usr/local/bin/node"), NodeVersion(20, 0, 0))


def test_the_environment_variable_is_final(tmp_path: Path) -> None:
    program(tmp_path / "first/node", "v22.0.0 /in/path/node")
    old = program(tmp_path / "old", "v18.20.4 /old/node")
    assert find_node(environ(tmp_path, WAVIGIL_NODE=str(tmp_path / "first/node")), tmp_path).version.major == 22
    with pytest.raises(NodeNotFound, match=r"old is version 18\.20\.4\).*\$WAVIGIL_NODE"):
        find_node(environ(tmp_path, WAVIGIL_NODE=str(old)), tmp_path)
    with pytest.raises(NodeNotFound, match="missing is not a program"):
        find_node(environ(tmp_path, WAVIGIL_NODE=str(tmp_path / "missing")), tmp_path)


def test_the_error_names_what_was_seen_and_the_remedy(tmp_path: Path) -> None:
    program(tmp_path / "first/node", "v20.0.0 /node", exit_code=1)
    with pytest.raises(NodeNotFound, match=r"first/node does not answer.*`make setup`"):
        find_node(environ(tmp_path), tmp_path / "venv")
    with pytest.raises(NodeNotFound, match=r"no Node\.js of version 20 or newer found: run"):
        find_node({"PATH": str(tmp_path / "empty")}, tmp_path / "venv")


def test_a_program_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = program(tmp_path / "first/node", "")
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    monkeypatch.setattr(node, "_PROBE_TIMEOUT_S", 0.2)
    with pytest.raises(NodeNotFound, match="does not answer"):
        find_node({"PATH": f"{tmp_path / 'first'}:{os.environ['PATH']}", "WAVIGIL_NODE": str(hanging)}, tmp_path)


def test_the_node_of_this_machine_is_the_program_itself() -> None:
    found = find_node()
    assert found.version >= NodeVersion(node.MINIMUM_MAJOR, 0, 0)
    assert found.path.read_bytes()[:4] == b"\x7fELF", "a wrapper script would not pass on signals"


def test_a_wrapper_is_followed_to_the_program(tmp_path: Path) -> None:
    real = find_node().path
    wrapper = tmp_path / "first/node"
    wrapper.parent.mkdir()
    code = f"import subprocess, sys\nsys.exit(subprocess.run(['{real}', *sys.argv[1:]]).returncode)\n"
    wrapper.write_text(f"#!{sys.executable}\n{code}")
    wrapper.chmod(0o755)
    assert find_node({"PATH": str(tmp_path / "first")}, tmp_path).path == real
