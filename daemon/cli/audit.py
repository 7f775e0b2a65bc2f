"""`wavigil audit`: who changed, or was shown, what."""

import json as jsonlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from daemon.cli.client import Client
from daemon.cli.errors import USAGE, CliError
from daemon.cli.options import JsonOption
from daemon.cli.output import dash, table, write, write_json

AUDIT = "/api/audit"
PAGE = 1000
FOLLOW_SECONDS = 2.0

COLUMNS = ("TIME", "WHO", "ROLE", "FROM", "ACTION", "TARGET", "OUTCOME", "DETAIL")

SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="AGO", help="How far back: 90m, 12h, 7d, or a time.", show_default=False),
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="AGO", help="Only what is older than that.", show_default=False)
]
WhoOption = Annotated[str | None, typer.Option("--who", metavar="TOKEN", help="Only this token.", show_default=False)]
ActionOption = Annotated[
    str | None,
    typer.Option("--action", metavar="ACTION", help="Only this action, such as session.stop.", show_default=False),
]
TargetOption = Annotated[
    str | None, typer.Option("--target", metavar="ID", help="Only this session.", show_default=False)
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many, the latest.")]
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")]


def audit(
    client: Client,
    since: SinceOption = None,
    until: UntilOption = None,
    who: WhoOption = None,
    action: ActionOption = None,
    target: TargetOption = None,
    limit: LimitOption = 50,
    follow: FollowOption = False,
    json: JsonOption = False,
) -> None:
    """Show the audit log, the oldest first: who paired, changed, stopped or was refused what."""
    query = {"who": who, "action": action, "target": target, "since": moment(since), "until": moment(until)}
    entries = list(_latest(client, query, limit))[::-1]
    if follow:
        _follow(client, query, entries, json=json)
    elif json:
        write_json(entries)
    else:
        write(table(COLUMNS, [row(entry) for entry in entries]))


def moment(text: str | None) -> str | None:
    """A time of the API: given as one, or as a duration before now.

    Raises:
        CliError: the text is neither.
    """
    from config.durations import parse_duration

    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        pass
    try:
        then = datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        raise CliError("a time is written 90m, 12h, 7d, or like 2026-01-31T08:15", status=USAGE) from None
    return then.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _latest(client: Client, query: dict[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while limit > 0:
        page = client.get(AUDIT, limit=min(PAGE, limit), cursor=cursor, **query)
        yield from page["entries"]
        limit -= len(page["entries"])
        cursor = page["nextCursor"]
        if cursor is None:
            return


def _follow(client: Client, query: dict[str, Any], entries: list[dict[str, Any]], *, json: bool) -> None:
    if not json:
        typer.echo(line(COLUMNS))
    last = 0
    while True:
        for entry in entries:
            last = max(last, entry["number"])
            typer.echo(jsonlib.dumps(entry, ensure_ascii=False) if json else line(row(entry)))
        try:
            time.sleep(FOLLOW_SECONDS)
        except KeyboardInterrupt:
            return
        latest = client.get(AUDIT, limit=PAGE, **query)["entries"]
        entries = [entry for entry in latest[::-1] if entry["number"] > last]


def row(entry: dict[str, Any]) -> list[str]:
    """One entry as the table shows it.  Pure."""
    detail = " ".join(f"{name}={jsonlib.dumps(value, ensure_ascii=False)}" for name, value in entry["detail"].items())
    return [
        entry["at"][:19].replace("T", " "),
        entry["who"],
        dash(entry["role"]),
        dash(entry["remote"]),
        entry["action"],
        entry["target"],
        entry["outcome"],
        detail,
    ]


def line(cells: Any) -> str:
    """A row without knowing those that come: columns as wide as they usually are.  Pure."""
    return "  ".join(
        f"{cell:<{width}}" for cell, width in zip(cells, (19, 10, 8, 15, 20, 20, 9, 0), strict=True)
    ).rstrip()
