"""How commands show what they know."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDE = 200
"""Columns when the output is no terminal: nothing is cut off for grep."""

MINUTE, HOUR, DAY = 60, 3600, 86400

STATUS_STYLE = {
    "connected": "green",
    "connecting": "yellow",
    "pairing": "cyan",
    "disconnected": "yellow",
    "blocked": "bold red",
    "error": "red",
    "stopped": "dim",
}


def write_json(value: Any) -> None:
    """JSON on stdout, indented."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def console() -> "Console":
    """The terminal, or whatever stdout is."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, markup=False, emoji=False)


def write(*renderables: "RenderableType") -> None:
    """Anything that rich can draw."""
    out = console()
    for renderable in renderables:
        out.print(renderable)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], status_column: int | None = None) -> "RenderableType":
    """A plain table, one line a row; a column with statuses is coloured."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        drawn.add_column(column, no_wrap=True)
    for row in rows:
        drawn.add_row(
            *[
                Text(cell, STATUS_STYLE.get(cell, "") if index == status_column else "")
                for index, cell in enumerate(row)
            ]
        )
    return drawn


def dash(value: object) -> str:
    """A value, or a dash for what is not known."""
    return "-" if value is None or value == "" else str(value)


def duration(seconds: float | None) -> str:
    """A length of time with its largest unit: `45s`, `12m`, `3h`, `9d`."""
    if seconds is None:
        return "-"
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= unit:
            return f"{seconds // unit:.0f}{name}"
    return f"{max(0.0, seconds):.0f}s"


def ago(timestamp: str | None, now: datetime | None = None) -> str:
    """How long ago a moment of the API was: `12m ago`; `in 12m` for one to come."""
    if timestamp is None:
        return "-"
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(timestamp)).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"


def size(count: int | None) -> str:
    """Bytes in MB, as `ps` and `top` readers expect."""
    return "-" if count is None else f"{count / 1e6:.1f} MB"


def labels_text(labels: dict[str, str]) -> str:
    """`region:eu team:support`."""
    return " ".join(f"{name}:{value}" for name, value in sorted(labels.items())) or "-"
