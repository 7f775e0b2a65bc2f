"""Memory of a process, measured rarely."""

import pytest

from actors.runtime import memory
from actors.runtime.memory import FIRST, PERIOD, MemoryProbe, pss_bytes


def test_pss_of_this_process_and_of_none() -> None:
    assert (pss_bytes() or 0) > 1_000_000
    assert pss_bytes(2**22 + 1) is None


def test_a_probe_measures_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = iter([10, 20])
    monkeypatch.setattr(memory, "pss_bytes", lambda: next(measured))
    probe = MemoryProbe()
    assert probe.look(0.0) is None
    assert probe.look(FIRST[0] - 1) is None
    assert probe.look(FIRST[1]) == 10
    assert probe.look(FIRST[1] + 1) == 10
    assert probe.look(FIRST[1] + PERIOD) == 20
