"""What goes into a bundle.

A part that can't be had is named in the manifest, with the reason, and the rest goes on.
"""

import json
import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import psutil

from actors.connectors.node import NodeNotFound, find_node
from actors.store.inspect import inspect
from config.schema_proxies import secrets_in
from config.show import plain, secrets_of
from daemon.cli.client import Client
from daemon.cli.errors import CliError
from daemon.doctor import databases, system
from daemon.doctor.examine import Place, examine
from daemon.support import logtail
from daemon.support.redact import Redactor

AUDIT_ROWS = 500
STATUS = "/api/whatsapp-status"


class Missing(Exception):
    """A part can't be had; the sentence says why."""


REASONS = (OSError, ValueError, CliError, Missing, sqlite3.Error, psutil.Error, subprocess.SubprocessError)
"""Why a part can't be had."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the bundle."""

    name: str
    what: str
    """For the manifest."""
    collect: Callable[[], Any]
    """JSON types for a name in .json, text for others.  Raises what says why it can't."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The content of an archive."""

    members: dict[str, bytes]
    """By name, the manifest first."""
    failed: dict[str, str]
    """Parts that are not in it: name to reason."""


def secret_values(place: Place) -> Iterator[str]:
    """Every secret that this machine's wavigil has, as far as it can be read."""
    for secret in secrets_of(place.loaded.config):
        yield secret.reveal()
    for proxy in place.loaded.config.proxies:
        yield from secrets_in(proxy.url.reveal())
    try:
        yield (place.state_dir / "admin.token").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return


def parts(place: Place, client: Client | CliError, lines: int) -> tuple[Part, ...]:
    """Everything, in the order of the manifest; ``client`` may be what keeps from having one."""

    def get(path: str, **query: Any) -> Callable[[], Any]:
        return lambda: _client(client).get(path, **query)

    return (
        Part("versions.json", "wavigil, Python and its packages, Node.js, kernel", _versions),
        Part("config.json", "the effective configuration, secrets hidden", lambda: plain(place.loaded.config)),
        Part(
            "doctor.json",
            "findings of wavigil doctor --deep",
            lambda: [finding.to_wire() for finding in examine(place, deep=True)],
        ),
        Part("supervision.json", "the supervision tree", get("/api/supervision")),
        Part("status.json", "the status of every session", lambda: list(_client(client).pages(f"{STATUS}/bulk"))),
        Part("health-summary.json", "the fleet at a glance", get(f"{STATUS}/health-summary")),
        Part("metrics.txt", "what Prometheus would see", lambda: _client(client).text("/metrics")),
        Part("audit.json", f"the last {AUDIT_ROWS} entries of the audit log", get("/api/audit", limit=AUDIT_ROWS)),
        Part("databases.json", "sizes, schemas, rows, cursors and outboxes; no row itself", lambda: _databases(place)),
        Part("processes.json", "each process: memory, descriptors, threads", lambda: _processes(place)),
        Part("limits.json", "limits of the daemon, or of this shell if it is down", lambda: _limits(place)),
        Part("meminfo.json", "/proc/meminfo in bytes", _meminfo),
        Part("log.txt", f"the last {lines} lines of the log", lambda: logtail.tail(place.main, lines)),
    )


def collect(place: Place, client: Client | CliError, lines: int) -> Bundle:
    """Collects and redacts all that can be had."""
    redactor = Redactor(secret_values(place))
    members: dict[str, bytes] = {}
    listed: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for part in parts(place, client, lines):
        try:
            content = _render(part, redactor)
        except (
            OSError,
            ValueError,
            CliError,
            Missing,
            sqlite3.Error,
            psutil.Error,
            subprocess.SubprocessError,
        ) as error:
            failed[part.name] = redactor.text(str(error) or type(error).__name__)
        else:
            members[part.name] = content
            listed.append({"name": part.name, "bytes": len(content), "what": part.what})
    manifest = {
        "wavigil": version("wavigil"),
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "daemon": "running" if place.main is not None else "not found running",
        "redacted": "phone numbers, JIDs, tokens and keys are hidden everywhere; session ids and labels are not",
        "files": listed,
        "missing": [{"name": name, "why": why} for name, why in failed.items()],
    }
    return Bundle({"manifest.json": _json(redactor.value(manifest)), **members}, failed)


def _render(part: Part, redactor: Redactor) -> bytes:
    found = part.collect()
    if part.name.endswith(".json"):
        return _json(redactor.value(found))
    if part.name.startswith("metrics"):
        return redactor.metrics(found).encode()
    return redactor.text(found).encode(errors="backslashreplace")


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def _client(client: Client | CliError) -> Client:
    if isinstance(client, CliError):
        raise Missing(client.message)
    return client


def _versions() -> dict[str, Any]:
    try:
        node = str(find_node().version)
    except NodeNotFound as error:
        node = str(error)
    found = os.uname()
    return {
        "wavigil": version("wavigil"),
        "python": sys.version,
        "sqlite": sqlite3.sqlite_version,
        "node": node,
        "kernel": f"{found.sysname} {found.release} {found.machine}",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME"),
        "packages": {item.metadata["Name"]: item.version for item in sorted(distributions(), key=lambda d: d.name)},
    }


def _databases(place: Place) -> list[dict[str, Any]]:
    if not place.visible:
        raise Missing(f"{place.state_dir} can't be looked into by this user, or is not there")
    found: list[dict[str, Any]] = []
    for path in databases.files(place.state_dir):
        try:
            seen = inspect(path, check=False, count=True)
        except (OSError, sqlite3.Error) as error:
            found.append({"file": path.name, "error": str(error)})
            continue
        found.append(
            {
                "file": path.name,
                "bytes": seen.bytes,
                "walBytes": seen.wal_bytes,
                "schema": seen.revision,
                "rows": seen.rows,
                "cursors": seen.cursors,
                "outbox": None if seen.outbox is None else {"first": seen.outbox[0], "last": seen.outbox[1]},
            }
        )
    return found


def _processes(place: Place) -> list[dict[str, Any]]:
    if place.main is None:
        raise Missing("no running daemon was found")
    found = []
    for process in place.processes:
        try:
            with process.oneshot():
                found.append(
                    {
                        "pid": process.pid,
                        "name": process.name(),
                        "status": process.status(),
                        "startedAt": process.create_time(),
                        "descriptors": process.num_fds(),
                        "threads": process.num_threads(),
                        "pssBytes": process.memory_full_info().pss,
                    }
                )
        except psutil.Error as error:
            found.append({"pid": process.pid, "error": type(error).__name__})
    return found


def _limits(place: Place) -> dict[str, Any]:
    limits = system.read_limits(place.main).items()
    return {
        "of": "this shell" if place.main is None else f"pid {place.main}",
        "process": {name: {"soft": soft, "hard": hard} for name, (soft, hard) in limits},
        "tasks": system.read_task_limits(place.main),
        "cgroupMemoryLeft": system.read_cgroup_memory_left(place.main),
    }


def _meminfo() -> dict[str, int]:
    return system.parse_meminfo(Path("/proc/meminfo").read_text("ascii"))
