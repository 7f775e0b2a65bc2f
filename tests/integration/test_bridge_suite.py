"""The bridge's own suite: its pure parts, on the Node.js that would run it."""

import os
import subprocess
from pathlib import Path

import pytest

from actors.connectors.node import NodeNotFound, find_node

pytestmark = pytest.mark.integration

BRIDGE = Path(__file__).parents[2] / "actors" / "connectors" / "baileys" / "bridge"
PATIENCE = 120


@pytest.mark.timeout(PATIENCE + 10)
def test_its_own_suite_passes() -> None:
    try:
        node = find_node().path
    except NodeNotFound as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(error))
        pytest.skip(f"THE BRIDGE IS NOT TESTED: {error}")
    tests = sorted(str(path.relative_to(BRIDGE)) for path in (BRIDGE / "test").glob("*.test.mjs"))
    assert tests
    done = subprocess.run(
        [node, "--test", "--test-reporter=spec", *tests],
        cwd=BRIDGE,
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
