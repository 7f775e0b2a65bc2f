"""Each check at its borders: what is fine, what is warned of, what fails, and that each verdict says what helps."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.store.inspect import Inspection
from actors.store.migrate import APPLICATION_ID
from actors.store.tables import Kind
from daemon.doctor import databases, limits, machine, permissions, service, storage, vault
from daemon.doctor.finding import Finding, Level, fail, ok, warn, worst
from daemon.doctor.needs import Fleet
from daemon.doctor.permissions import Found

FLEET = Fleet(baileys=40, simulator=0, baileys_per_host=32, simulator_per_host=32, requests=64)
GIB = 1 << 30
counts = st.integers(0, 5000)
fleets = st.builds(Fleet, counts, counts, st.integers(1, 50), st.integers(1, 50), st.integers(0, 1000))


def level(finding: Finding | None) -> str:
    return "none" if finding is None else finding.level


def test_a_remedy_belongs_to_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="remedy"):
        Finding("x", Level.WARN, "it is bad")
    with pytest.raises(ValueError, match="remedy"):
        Finding("x", Level.OK, "it is well", "do this")


def test_the_worst_counts() -> None:
    good, doubtful, bad = ok("x", ""), warn("x", "", "y"), fail("x", "", "y")
    assert worst([]) == worst([good]) == "ok"
    assert worst([good, doubtful]) == "warn"
    assert worst([bad, good, doubtful]) == "fail"


# --- needs and limits


@given(fleets)
def test_more_sessions_never_need_less(fleet: Fleet) -> None:
    more = replace(fleet, baileys=fleet.baileys + 1, simulator=fleet.simulator + 1)
    for need in ("processes", "tasks", "open_files", "memory"):
        assert getattr(more, need) >= getattr(fleet, need) > 0
    assert fleet.tasks >= fleet.processes


@given(fleets, st.integers(0, 100_000))
def test_a_limit_below_the_need_fails_and_far_above_is_fine(fleet: Fleet, taken: int) -> None:
    need = fleet.open_files
    assert level(limits.open_files(fleet, need - 1, "this shell")) == "fail"
    assert level(limits.open_files(fleet, need, "this shell")) == "warn"
    assert level(limits.open_files(fleet, need * 2, "this shell")) == "ok"
    assert level(limits.open_files(fleet, None, "this shell")) == "ok"
    total = fleet.tasks + taken
    assert level(limits.tasks(fleet, {"pids.max": total - 1, "pid_max": 10**7}, taken, "it")) == "fail"
    assert level(limits.tasks(fleet, {"pids.max": total, "pid_max": 10**7}, taken, "it")) == "warn"
    assert level(limits.tasks(fleet, {"RLIMIT_NPROC": total * 2}, taken, "it")) == "ok"
    assert level(limits.tasks(fleet, {}, taken, "it")) == "ok"


def test_what_was_measured_is_covered() -> None:
    """40 simulated sessions in 2 and in 10 shards had that many processes, tasks, and descriptors in one process."""
    few = Fleet(0, 40, 32, 32, 0)
    many = Fleet(0, 40, 32, 4, 0)
    assert (few.processes, many.processes) == (58, 82)
    assert few.tasks >= 74
    assert many.tasks >= 138
    assert few.open_files >= 129
    assert many.open_files >= 86


def test_spares_count() -> None:
    with_spares = replace(FLEET, simulator=10, spares=frozenset({"baileys", "external"}))
    without = replace(with_spares, spares=frozenset())
    assert with_spares.processes - without.processes == with_spares.bridges == 2
    assert with_spares.tasks - without.tasks == 2 * 11
    assert with_spares.memory - without.memory == 2 * 70_000_000


def test_memory_in_use_by_the_daemon_counts_as_there() -> None:
    need = FLEET.memory
    assert level(limits.memory(FLEET, need // 2, None, 0)) == "fail"
    assert level(limits.memory(FLEET, need, None, 0)) == "warn"
    assert level(limits.memory(FLEET, need // 2, None, need)) == "ok"
    bounded = limits.memory(FLEET, need * 9, need // 2, 0)
    assert bounded.level == "fail"
    assert "memory.max" in bounded.what


def test_the_remedy_names_what_bounds() -> None:
    assert "TasksMax" in limits.tasks(FLEET, {"pids.max": 10, "RLIMIT_NPROC": 20}, 0, "it").remedy
    assert "LimitNPROC" in limits.tasks(FLEET, {"pids.max": 20, "RLIMIT_NPROC": 10}, 0, "it").remedy
    assert "kernel.pid_max" in limits.tasks(FLEET, {"pid_max": 10}, 0, "it").remedy


# --- storage


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 1))
def test_a_quantile_is_a_sample_and_grows(samples: list[float], q: float) -> None:
    found = storage.quantile(samples, q)
    assert found in samples
    assert min(samples) <= found <= storage.quantile(samples, 1.0) == max(samples)


def test_a_slow_disk() -> None:
    assert level(storage.fsync([0.003] * 20)) == "ok"
    slow = storage.fsync([0.003] * 19 + [0.021])
    assert slow.level == "warn"
    assert "p50 3.0 ms, p99 21.0 ms" in slow.what


def test_fsync_is_measured_and_leaves_nothing(tmp_path: Path) -> None:
    samples = storage.measure_fsync(tmp_path, 3)
    assert len(samples) == 3
    assert all(sample > 0 for sample in samples)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("free", "total", "inodes_free", "inodes", "expected"),
    [
        (50 * GIB, 100 * GIB, 50, 100, "ok"),
        (50 * GIB, 100 * GIB, 0, 0, "ok"),  # btrfs counts no inodes
        (9 * GIB, 100 * GIB, 50, 100, "warn"),
        (GIB - 1, 2 * GIB, 50, 100, "warn"),
        (50 * GIB, 100 * GIB, 5, 100, "warn"),
        (50 * GIB, 100 * GIB, 0, 100, "fail"),
        (60 << 20, 100 * GIB, 50, 100, "fail"),
    ],
)
def test_room(free: int, total: int, inodes_free: int, inodes: int, expected: str) -> None:
    assert level(storage.disk(free, total, inodes_free, inodes)) == expected


# --- permissions


def test_who_may_read() -> None:
    home = Found(Path("/s"), 0o700, 5)
    token, log = Found(Path("/s/admin.token"), 0o600, 5), Found(Path("/s/health.db"), 0o600, 5)
    assert level(permissions.modes(home, [token, log])) == "ok"
    assert level(permissions.modes(replace(home, mode=0o755), [token])) == "warn"
    assert level(permissions.modes(home, [replace(token, mode=0o644)])) == "warn"
    assert level(permissions.modes(replace(home, mode=0o755), [token, replace(log, mode=0o644)])) == "warn"
    assert level(permissions.modes(replace(home, mode=0o755), [replace(token, mode=0o644)])) == "fail"
    stranger = permissions.modes(home, [replace(log, owner=0)])
    assert (stranger.level, "chown" in stranger.remedy) == ("fail", True)
    many = permissions.modes(home, [replace(log, path=Path(f"/s/{n}"), owner=0) for n in range(9)])
    assert "and 4 more" in many.what


def test_secrets_beside_the_state() -> None:
    private, public = Found(Path("/etc/w/key"), 0o600, 0), Found(Path("/etc/w/wavigil.yaml"), 0o644, 0)
    assert level(permissions.secrets([private], None)) == "ok"
    assert level(permissions.secrets([public], None)) == "warn"
    assert level(permissions.secrets([], public)) == "warn"
    assert level(permissions.secrets([], private)) == "ok"


# --- machine


def test_clock() -> None:
    assert level(machine.clock(True, 2026)) == "ok"
    assert level(machine.clock(None, 2026)) == "ok"
    assert level(machine.clock(False, 2026)) == "warn"
    assert level(machine.clock(True, 1970)) == "fail"
    assert machine.clock_synchronised() in {True, False, None}


def test_this_kernel_and_node() -> None:
    assert machine.kernel().level == "ok"
    assert machine.node(1).level == "ok"


def test_no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVIGIL_NODE", "/nowhere")
    assert level(machine.node(0)) == "ok"
    assert level(machine.node(1)) == "fail"


@pytest.mark.parametrize(
    ("options", "readable", "expected", "said"),
    [
        ("rw,nosuid", True, "ok", "complete"),
        ("rw,hidepid=invisible", True, "ok", "hidepid=invisible"),
        ("rw,hidepid=2,subset=pid", True, "warn", "ProcSubset"),
        ("rw", False, "warn", "ProcSubset"),
    ],
)
def test_proc(options: str, readable: bool, expected: str, said: str) -> None:
    found = machine.proc(f"sysfs /sys sysfs rw 0 0\nproc /proc proc {options} 0 0\n", readable)
    assert found.level == expected
    assert said in found.what


# --- databases


def test_schemas() -> None:
    found = Inspection(Path("/s/api.db"), 1, 0, APPLICATION_ID[Kind.API], "0002", "ok")
    assert databases.judge(found, Kind.API, "0002") is None
    assert databases.judge(replace(found, check=None), Kind.API, "0002") is None
    assert databases.judge(replace(found, application_id=0, revision=None), Kind.API, "0002") is None
    assert level(databases.judge(found, Kind.API, "0003")) == "warn"
    for wrong in (
        replace(found, revision="0003"),
        replace(found, revision=None),
        replace(found, application_id=7),
        replace(found, check="*** in database main ***"),
    ):
        assert level(databases.judge(wrong, Kind.API, "0002")) == "fail"


def test_which_files_are_databases() -> None:
    kinds = {
        name: databases.kind_of(Path(name)) for name in ("api.db", "shard-12.db", "shard-x.db", "shard.db", "a.db")
    }
    assert [name for name, kind in kinds.items() if kind] == ["api.db", "shard-12.db"]


# --- the daemon

METRICS = 'wavigil_build_info{version="0.1.0",python="3.11"} 1\n'


def test_the_daemon() -> None:
    def said(main: int | None, ready: str | None, installed: str = "0.1.0") -> Finding:
        return service.daemon(main, ready, METRICS, installed, "wavigil run")

    assert level(said(7, "")) == "ok"
    assert level(said(None, "")) == "ok"
    assert level(said(7, "", "0.2.0")) == "warn"
    assert level(said(7, "the actors are starting")) == "fail"
    assert level(said(7, None)) == "fail"
    assert level(said(None, None)) == "warn"


def test_reload() -> None:
    assert service.reload(METRICS, 0) is None
    assert service.reload(None, 0) is None
    at = "wavigil_config_last_reload_success_timestamp_seconds 1000\nwavigil_config_last_reload_successful "
    assert level(service.reload(at + "1\n", 4600)) == "ok"
    refused = service.reload(at + "0\n", 4600)
    assert level(refused) == "warn"
    assert refused is not None
    assert "1.0 h ago" in refused.what


def test_ports() -> None:
    assert level(service.ports(set(), 0, None)) == "ok"
    assert level(service.ports({"0.0.0.0:9470"}, 0, "0.0.0.0:9470")) == "ok"
    assert level(service.ports(set(), 3, None)) == "warn"
    assert level(service.ports({"0.0.0.0:9471"}, 0, "0.0.0.0:9470")) == "fail"


def test_the_rest() -> None:
    assert level(vault.master_key(True)) == "ok"
    assert level(vault.master_key(False)) == "warn"
    assert level(service.socket_path(Path("/" + "x" * 81))) == "fail"
    assert level(service.socket_path(Path("/" + "x" * 80))) == "ok"


def test_a_rotation_of_the_master_key() -> None:
    now = 1_000_000.0
    assert vault.rotation(None, now, 0, running=True) is None
    leftover = vault.rotation(None, now, 1, running=True)
    assert leftover is not None
    assert "destroy it" in leftover.remedy
    for running, remedy in ((True, "wavigil vault rotate"), (False, "start wavigil")):
        unfinished = vault.rotation(now - 7200, now, 1, running=running)
        assert unfinished is not None
        assert level(unfinished) == "warn"
        assert "2.0 h ago is unfinished" in unfinished.what
        assert remedy in unfinished.remedy
