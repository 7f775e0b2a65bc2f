"""The bundle's file: whole or not there, and for nobody else to read."""

import stat
import tarfile
from pathlib import Path

import pytest

from daemon.support import archive, logtail


def test_it_is_private_and_holds_what_was_given(tmp_path: Path) -> None:
    target = tmp_path / "b.tar.gz"
    archive.write(target, "b", {"manifest.json": b"{}", "log.txt": b"line\n" * 1000}, 1_795_750_000.5)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with tarfile.open(target) as found:
        assert found.getnames() == ["b/manifest.json", "b/log.txt"]
        assert {entry.mode for entry in found} == {0o600}
        extracted = found.extractfile("b/log.txt")
        assert extracted is not None
        assert extracted.read() == b"line\n" * 1000
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.gz"]


def test_nothing_is_overwritten_and_nothing_is_left(tmp_path: Path) -> None:
    target = tmp_path / "b.tar.gz"
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        archive.write(target, "b", {}, 0)
    assert target.read_text() == "mine"
    with pytest.raises(OSError, match="No such file"):
        archive.write(tmp_path / "no" / "b.tar.gz", "b", {}, 0)
    with pytest.raises(TypeError):
        archive.write(tmp_path / "c.tar.gz", "b", {"x": None}, 0)  # type: ignore[dict-item]
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.gz"]


def test_the_unit_of_a_process() -> None:
    assert logtail.unit_of("1:name=systemd:/\n0::/system.slice/wavigil.service\n") == "wavigil.service"
    assert logtail.unit_of("0::/system.slice/system-w.slice/w@a.service/sub\n") == "w@a.service"
    assert logtail.unit_of("0::/user.slice\n") is None
