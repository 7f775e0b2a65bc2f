"""All checks, in the order in which they are shown."""

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

from actors.store.inspect import api_sessions
from config.loader import Loaded
from config.rules import is_loopback
from config.show import secrets_of
from daemon.doctor import databases, limits, machine, permissions, service, storage, system, vault
from daemon.doctor.finding import Finding, ok, warn
from daemon.doctor.needs import Fleet

AS_OWNER = "run this as the daemon's user or as root: sudo -u wavigil wavigil doctor"


class Unanswered(Exception):
    """The daemon did not answer, or not with what was asked for."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the daemon lives, and what of it was found."""

    loaded: Loaded
    state_dir: Path
    visible: bool
    """Whether this user may look into the state directory."""
    main: int | None
    """Pid of the running daemon, as far as it can be known."""
    processes: list[psutil.Process]
    ask: Callable[[str], str]
    """Path to the text of a GET; raises Unanswered."""
    start: str
    """The command that starts the daemon."""

    def whose(self, what: str) -> str:
        """Whose limits were read."""
        return f"the running daemon ({what})" if self.main is not None else f"this shell ({what})"


def find(loaded: Loaded, ask: Callable[[str], str], start: str) -> Place:
    """Looks for the daemon of a configuration."""
    state_dir = Path(loaded.config.state_dir)
    visible = _is_directory(state_dir) is True and os.access(state_dir, os.R_OK | os.X_OK)
    main = None
    if visible:
        try:
            main = system.read_main_pid(state_dir)
        except OSError:  # the lock is of another user
            main = None
    return Place(loaded, state_dir, visible, main, system.read_processes(main), ask, start)


def _is_directory(path: Path) -> bool | None:
    """None if this user may not even know."""
    try:
        return path.is_dir()
    except PermissionError:
        return None


def fleet_of(place: Place) -> Fleet:
    """All sessions: of the file, and of the API as far as its database can be read."""
    config = place.loaded.config
    counts = {"baileys": 0, "simulator": 0, "external": 0}
    for spec in config.sessions:
        counts[spec.connector] += 1
    if place.visible:
        try:
            added = api_sessions(place.state_dir / "api.db")
        except (OSError, sqlite3.Error):
            added = {}
        for connector, number in added.items():
            counts[connector] = counts.get(connector, 0) + number
    connectors = config.connectors
    return Fleet(
        counts["baileys"],
        counts["simulator"],
        connectors.baileys.sessions_per_host,
        connectors.simulator.sessions_per_host,
        (len(config.http.tokens) + 1) * config.http.max_concurrent,
        counts["external"],
        connectors.external.sessions_per_host,
        frozenset(name for name in counts if connectors.of(name).spare_after is not None),
    )


def examine(place: Place, *, deep: bool = False) -> list[Finding]:
    """Every finding.  Writes nothing but one temporary file in the state directory; a check that fails is a finding."""
    fleet = fleet_of(place)
    groups: tuple[tuple[str, Callable[[], Iterable[Finding]]], ...] = (
        ("config", lambda: [service.configuration(place.loaded, fleet.sessions)]),
        ("daemon", lambda: _daemon(place)),
        ("open-files", lambda: [_open_files(place, fleet)]),
        ("processes", lambda: [_tasks(place, fleet)]),
        ("memory", lambda: [_memory(place, fleet)]),
        ("disk", lambda: _disk(place)),
        ("fsync", lambda: [_fsync(place)]),
        ("databases", lambda: _databases(place, deep=deep)),
        ("permissions", lambda: _permissions(place)),
        ("vault-key", lambda: _vault(place)),
        ("ports", lambda: _ports(place)),
        ("sockets", lambda: [service.socket_path(Path(place.loaded.config.runtime_dir))]),
        ("node", lambda: [machine.node(fleet.baileys)]),
        ("clock", lambda: [machine.clock(machine.clock_synchronised(), machine.year())]),
        ("kernel", lambda: [machine.kernel()]),
        ("proc", lambda: [_proc()]),
    )
    findings: list[Finding] = []
    for name, check in groups:
        try:
            findings += check()
        except (OSError, ValueError, psutil.Error) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            findings.append(warn(name, f"could not be checked: {why}", AS_OWNER))
    return findings


def _daemon(place: Place) -> list[Finding]:
    metrics: str | None = None
    ready: str | None
    try:
        place.ask("/healthz")
        ready, metrics = "", place.ask("/metrics")
        place.ask("/readyz")
    except Unanswered as error:
        ready = None if metrics is None else str(error)
    found = [service.daemon(place.main, ready, metrics, version("wavigil"), place.start)]
    reload = service.reload(metrics, time.time())
    return [*found, *([reload] if reload is not None else [])]


def _open_files(place: Place, fleet: Fleet) -> Finding:
    hard = system.read_limits(place.main)["Max open files"][1]
    return limits.open_files(fleet, hard, place.whose("LimitNOFILE, ulimit -Hn"))


def _tasks(place: Place, fleet: Fleet) -> Finding:
    owner = place.state_dir.stat().st_uid if place.visible else os.geteuid()
    bounds = system.read_task_limits(place.main)
    if owner == 0:  # root is not bound by it
        bounds.pop("RLIMIT_NPROC", None)
    return limits.tasks(
        fleet, bounds, system.read_others_tasks(owner, place.processes), place.whose("TasksMax, ulimit -u")
    )


def _memory(place: Place, fleet: Fleet) -> Finding:
    available = system.parse_meminfo(Path("/proc/meminfo").read_text("ascii"))["MemAvailable"]
    used = system.read_memory_used(place.processes)
    return limits.memory(fleet, available, system.read_cgroup_memory_left(place.main), used)


def _existing(place: Place) -> Path:
    """The state directory, or the nearest one above it that exists: the same disk, most likely."""
    return next(path for path in (place.state_dir, *place.state_dir.parents) if _is_directory(path))


def _disk(place: Place) -> list[Finding]:
    found = os.statvfs(_existing(place))
    unit = found.f_frsize
    return [storage.disk(found.f_bavail * unit, found.f_blocks * unit, found.f_favail, found.f_files)]


def _absent(place: Place, name: str) -> Finding:
    if _is_directory(place.state_dir) is not False:
        return warn(name, f"{place.state_dir} may not be looked into by user {os.geteuid()}", AS_OWNER)
    return ok(name, f"{place.state_dir} is not there yet: the first start makes it")


def _fsync(place: Place) -> Finding:
    if not place.visible:
        return _absent(place, "fsync")
    if not os.access(place.state_dir, os.W_OK):
        return warn("fsync", f"{place.state_dir} can't be written by user {os.geteuid()}", AS_OWNER)
    return storage.fsync(storage.measure_fsync(place.state_dir))


def _databases(place: Place, *, deep: bool) -> list[Finding]:
    if not place.visible:
        return [_absent(place, "databases")]
    return databases.databases(place.state_dir, deep=deep or place.main is None)


def _vault(place: Place) -> list[Finding]:
    keys = place.loaded.config.vault
    if not place.visible:
        return [vault.master_key(keys.master_key is not None)]
    running = place.main is not None
    path = place.state_dir / "vault.db"
    return vault.examine(path, keys.master_key is not None, len(keys.previous_keys), running=running)


def _permissions(place: Place) -> list[Finding]:
    secrets = list(secrets_of(place.loaded.config))
    referred = [Path(secret.source.removeprefix("file:")) for secret in secrets if secret.source.startswith("file:")]
    inline = any(secret.source == "text" for secret in secrets)
    source = place.loaded.source
    found = permissions.secrets(
        list(permissions.look(referred)),
        next(permissions.look([source]), None) if inline and source is not None else None,
    )
    if not place.visible:
        return [_absent(place, "permissions"), found]
    directory = next(permissions.look([place.state_dir.resolve()]))
    files = [path for path in place.state_dir.iterdir() if not stat.S_ISDIR(path.lstat().st_mode)]
    return [permissions.modes(directory, list(permissions.look(files))), found]


def _ports(place: Place) -> list[Finding]:
    if place.main is None:
        return [ok("ports", "no daemon of this state directory runs, so none listens")]
    http = place.loaded.config.http
    allowed = None if is_loopback(http.host) else f"{http.host}:{http.port}"
    return [service.ports(*system.read_open_ports(place.processes), allowed)]


def _proc() -> Finding:
    readable = os.access("/proc/meminfo", os.R_OK) and os.access("/proc/stat", os.R_OK)
    return machine.proc(Path("/proc/mounts").read_text("utf-8"), readable)
