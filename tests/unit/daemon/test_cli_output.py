import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from daemon.cli import local, output
from daemon.cli.qr import QUIET_ZONE, draw, width


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0s"), (59.4, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86400 * 9, "9d"), (-3, "0s")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert output.duration(seconds) == text


@given(st.floats(0, 1e9))
def test_durations_are_short(seconds: float) -> None:
    assert len(output.duration(seconds)) <= 6


def test_moments() -> None:
    now = datetime(2026, 1, 31, 8, 15, 30, tzinfo=UTC)
    assert output.ago("2026-01-31T08:03:30.000Z", now) == "12m ago"
    assert output.ago("2026-01-31T08:15:40.000Z", now) == "in 10s"
    assert output.ago(None) == "-"


def modules(drawing: str) -> list[list[bool]]:
    """The dark modules of a drawing, two rows a line."""
    halves = {" ": (True, True), "▀": (False, True), "▄": (True, False), "█": (False, False)}
    rows: list[list[bool]] = []
    for line in drawing.splitlines():
        pairs = [halves[character] for character in line]
        rows += [[top for top, _ in pairs], [bottom for _, bottom in pairs]]
    return rows


@given(st.text("ABCDEFabcdef0123456789+/=,@", min_size=1, max_size=300))
def test_a_drawn_code_is_the_code(content: str) -> None:
    expected = [
        [bool(module) for module in row] for row in segno.make_qr(content, error="l").matrix_iter(border=QUIET_ZONE)
    ]
    drawn = modules(draw(content, colour=False))
    assert drawn[: len(expected)] == expected


def test_colours_are_set_on_each_line_and_reset() -> None:
    plain, coloured = draw("content", colour=False), draw("content", colour=True)
    assert all(line.startswith("\x1b[97;40m") and line.endswith("\x1b[0m") for line in coloured.splitlines())
    assert width(plain) == width(coloured) == 21 + 2 * QUIET_ZONE


def test_the_hints_of_the_demonstration_can_be_typed() -> None:
    text = local.hint("http://127.0.0.1:9470", Path("/var/my demo/admin.token"), ".venv/bin/wavigil")
    assert "cat '/var/my demo/admin.token'" in text
    assert text.count(".venv/bin/wavigil ") == 3


def test_tables_are_not_cut_off_in_pipes(capsys: pytest.CaptureFixture[str]) -> None:
    output.write(output.table(("A", "B"), [("x" * 90, "[y]")]))
    assert "x" * 90 + "  [y]" in capsys.readouterr().out


def test_labels() -> None:
    assert output.labels_text({"team": "a", "region": "eu"}) == "region:eu team:a"
    assert output.labels_text({}) == "-"
    assert io.StringIO().getvalue() == ""
