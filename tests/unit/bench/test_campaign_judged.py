"""Records of campaigns side by side, judged as one."""

import sys
from pathlib import Path

import pytest

from tests.bench.campaign import judged, truth
from tests.bench.campaign.truth import Ended, Struck

AT = 1_790_000_000.0


def record(path: Path, *noticed: float | None) -> str:
    """Kills of the vault, one a minute: after how long each was noticed, None for one that nobody came back from."""
    entries: list[truth.Entry] = []
    for number, took in enumerate(noticed):
        at = AT + 60 * number
        entries.append(Struck(number, "kill-vault", (), at, at + 10, at))
        entries.append(Ended(number, at + (took or 0.5), None if took is None else at + took + 0.1))
    truth.write(path, entries)
    return str(path)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["judged", *words])
    return judged.main()


def test_the_troubles_of_all_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [record(tmp_path / "a", 0.1, 0.2), record(tmp_path / "b", 0.3)]
    assert run(monkeypatch, *records, "--least", "3") == 0
    said = capsys.readouterr().out
    row = next(line.split() for line in said.splitlines() if line.startswith("kill-vault"))
    assert row[1:3] == ["3", "3"]
    assert float(row[6]) == pytest.approx(0.3)
    assert "all as promised" in said


def test_too_few_of_all_together_and_what_went_wrong_in_one_of_them_fall_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [record(tmp_path / "a", 0.1), record(tmp_path / "b", 0.1, None)]
    assert run(monkeypatch, *records, "--least", "4") == 1
    said = capsys.readouterr().out
    assert "FALLS SHORT  kill-vault: only 3 of 4" in said
    assert "FALLS SHORT  kill-vault: 2 of 3 went as they must" in said
