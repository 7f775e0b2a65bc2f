"""What every test shares: fixtures from `tests/fixtures_*.py`, and the rule that CI skips nothing."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = tuple(f"tests.{path.stem}" for path in sorted(Path(__file__).parent.glob("fixtures_*.py")))

NEEDS_ROOT = "needs root"

# How long an example takes says how busy the machine is, and nothing about the law.
settings.register_profile("wavigil", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wavigil")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what only root can do, so that an ordinary user's run says so instead of failing."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("needs_root"):
            item.add_marker(pytest.mark.skip(reason=NEEDS_ROOT))


class NoSkipsInCI:
    """Fails the run when a test was skipped: in CI a missing peer is a fault of the set-up, not an excuse."""

    def __init__(self) -> None:
        self.skipped: list[tuple[str, str]] = []

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.skipped.append((report.nodeid, reason.removeprefix("Skipped: ")))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module skipped as a whole."""
        self._note(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a green run with skips into a failed one."""
        if self.skipped and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name each skipped test and its reason."""
        if self.skipped:
            terminalreporter.section("skipped, which CI=true forbids", red=True)
            for nodeid, reason in self.skipped:
                terminalreporter.line(f"{nodeid}: {reason}")


def pytest_configure(config: pytest.Config) -> None:
    """Hold CI to its rule: there, every test runs."""
    if os.environ.get("CI", "").lower() == "true":
        config.pluginmanager.register(NoSkipsInCI(), "no-skips-in-ci")
