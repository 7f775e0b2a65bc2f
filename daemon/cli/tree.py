"""`wavigil tree`: every process below main, and main."""

from datetime import UTC, datetime
from typing import Any

from daemon.cli.client import Client
from daemon.cli.options import JsonOption
from daemon.cli.output import ago, dash, duration, size, table, write, write_json

COLUMNS = ("PROCESS", "KIND", "PID", "STATE", "AGE", "RESTARTS", "LAST EXIT", "MEMORY", "PSS", "MAILBOX")


def tree(client: Client, json: JsonOption = False) -> None:
    """Show the supervision tree: every process with its age, restarts, last exit, memory and mailbox age."""
    root = client.get("/api/supervision")
    if json:
        write_json(root)
        return
    now = datetime.now(UTC)
    rows = [_row(node, "", now) for node in root["above"]]
    _walk(root, "", "", rows, now)
    write(table(COLUMNS, rows))


def _row(node: dict[str, Any], lead: str, now: datetime) -> list[str]:
    return [
        f"{lead}{node['id']}",
        node["kind"],
        dash(node["pid"]),
        node["state"],
        duration(node["uptimeSeconds"]),
        str(node["restarts"]),
        exit_text(node["lastExit"], now),
        size(node["rssBytes"]),
        size(node["pssBytes"]),
        wait_text(node["mailboxAgeSeconds"]),
    ]


def _walk(node: dict[str, Any], lead: str, below: str, rows: list[list[str]], now: datetime) -> None:
    rows.append(_row(node, lead, now))
    children = node["children"]
    for index, child in enumerate(children):
        last = index == len(children) - 1
        _walk(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "), rows, now)


def exit_text(last: dict[str, Any] | None, now: datetime) -> str:
    """How and when a process ended last: ``SIGKILL, 12s ago``, ``hung, 1h ago``, ``SIGKILL (flood), 5s ago``."""
    if last is None:
        return dash(None)
    if last["how"] == "signal":
        how = last["signal"] or f"signal {last['value']}"
    elif last["how"] == "code":
        how = f"code {last['value']}"
    else:
        how = last["how"].replace("_", " ")
    fault = last["why"].partition(":")[0] if last["why"] else ""
    return f"{how}{f' ({fault})' if fault else ''}, {ago(last['at'], now)}"


def wait_text(seconds: float | None) -> str:
    """How long a message waits: ``3 ms``, ``1.4 s``."""
    if seconds is None:
        return dash(None)
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
