"""The rule of `tests/conftest.py`: with CI=true a skipped test fails the run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SKIPPED_TEST = 'import pytest\n@pytest.mark.skip(reason="no peer")\ndef test_a():\n    pass\ndef test_b():\n    pass\n'
SKIPPED_MODULE = 'import pytest\npytest.skip("no library", allow_module_level=True)\n'


def run(folder: Path, source: str, ci: str) -> subprocess.CompletedProcess[str]:
    """Runs pytest on one test file beside a copy of the project's conftest."""
    shutil.copy(CONFTEST, folder)
    (folder / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={folder}", "-c", os.devnull]
    return subprocess.run(
        [*command, folder], env=os.environ | {"CI": ci}, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("source", "named"), [(SKIPPED_TEST, "test_a: no peer"), (SKIPPED_MODULE, "test_it.py: no library")]
)
def test_ci_fails_and_names_test_and_reason(tmp_path: Path, source: str, named: str) -> None:
    done = run(tmp_path, source, "true")
    assert done.returncode == 1, done.stdout
    assert named in done.stdout


def test_elsewhere_a_skip_is_only_reported(tmp_path: Path) -> None:
    done = run(tmp_path, SKIPPED_TEST, "")
    assert done.returncode == 0, done.stdout
    assert "1 passed, 1 skipped" in done.stdout


def test_ci_passes_without_skips(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_b():\n    pass\n", "true").returncode == 0


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    source = "import pytest\n@pytest.mark.xfail\ndef test_a():\n    assert False\ndef test_b():\n    pass\n"
    assert run(tmp_path, source, "true").returncode == 0
