"""What every bench says of the machine, and how it sums up what a tree of processes uses."""

import os
import platform
import signal
import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil


def end_on_sigterm() -> None:
    """SIGTERM ends a bench as Ctrl-C does, so that it ends what it has started.

    Both do so also in the background of a shell, which has its jobs ignore Ctrl-C.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def describe() -> str:
    """One line: what the figures were measured on."""
    memory = psutil.virtual_memory().total / 2**30
    cores = f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}"
    return f"{cores}, Linux {platform.release()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def pss_bytes(pids: Iterable[int]) -> int:
    """Proportional set size of these processes together: shared pages count once."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


def cpu_seconds(processes: Iterable[psutil.Process]) -> dict[int, float]:
    """Processor time of each process so far, by pid."""
    found = {}
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        found[process.pid] = times.user + times.system
    return found


KSM = Path("/sys/kernel/mm/ksm")
_KSM_PACE = {"pages_to_scan": "20000", "sleep_millisecs": "50", "run": "1"}


def can_merge_memory() -> bool:
    """Whether ``merging_memory`` would work: for root, with a kernel that has KSM."""
    return os.access(KSM / "run", os.W_OK)


@contextmanager
def merging_memory() -> Iterator[None]:
    """Lets the kernel merge equal pages at a high pace meanwhile; needs root.  Undone at the end."""
    before = {name: (KSM / name).read_text("ascii").strip() for name in _KSM_PACE}
    try:
        for name, value in _KSM_PACE.items():
            (KSM / name).write_text(value)
        yield
    finally:
        for name, value in before.items():
            (KSM / name).write_text("2" if name == "run" and value == "0" else value)
        (KSM / "run").write_text(before["run"])


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; ``share`` in 0..1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def row(what: str, times: Sequence[float], unit: str = "ms") -> str:
    """One line of a table of times."""
    figures = (
        f"median {statistics.median(times):8.1f}  p99 {percentile(times, 0.99):8.1f}  max {max(times):8.1f} {unit}"
    )
    return f"{what:<44} n={len(times):<4} {figures}"
