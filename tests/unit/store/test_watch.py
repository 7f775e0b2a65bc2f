"""What a writer reports of its database, and how often the log says it."""

import logging
from pathlib import Path

import pytest

from actors.store.errors import StoreFull
from actors.store.watch import LOG_PERIOD, StoreWatch


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_trouble_lasts_until_a_probe_worked(tmp_path: Path) -> None:
    clock = Clock()
    watch = StoreWatch(tmp_path / "shard-3.db", clock)
    assert watch.report() == {"database": "shard-3", "writable": True, "reason": None, "since": None, "problem": None}
    watch.refused(StoreFull(tmp_path / "shard-3.db"))
    clock.now += 5
    watch.refused(StoreFull(tmp_path / "shard-3.db"))
    report = watch.report()
    assert (report["writable"], report["reason"], report["since"]) == (False, "full", 1000.0)
    assert "make room on its disk" in report["problem"]
    watch.works()
    assert watch.report()["writable"]


def test_the_log_says_it_once_a_minute(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watch = StoreWatch(tmp_path / "vault.db", clock)
    error = StoreFull(tmp_path / "vault.db")
    log = logging.getLogger("some.writer")
    for _ in range(1000):
        watch.tell(log, "a transition could not be stored", error)
        watch.tell(log, "events can't be stored", error)
        clock.now += 0.05
    assert len(caplog.records) == 2
    clock.now += LOG_PERIOD
    watch.tell(log, "a transition could not be stored", error)
    assert "(999 times more since the last line)" in caplog.records[-1].getMessage()
    watch.refused(error)
    watch.works()
    assert "vault.db works again after 0 s" in caplog.records[-1].getMessage()
    watch.tell(log, "a transition could not be stored", error)  # another trouble is told at once
    assert len(caplog.records) == 5
