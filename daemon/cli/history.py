"""`wavigil sessions history`: the past of a session."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from daemon.cli.audit import moment
from daemon.cli.client import Client, segment
from daemon.cli.options import IdArgument, JsonOption
from daemon.cli.output import dash, table, write, write_json

FromOption = Annotated[str, typer.Option("--from", metavar="AGO", help="How far back: 90m, 12h, 7d, or a time.")]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="AGO", help="Only until then; else until now.", show_default=False)
]
StepOption = Annotated[
    str | None,
    typer.Option("--step", metavar="STEP", help="raw, or such as 1m, 15m, 1h, 1d; else as fits.", show_default=False),
]

COLUMNS = (
    "FROM",
    "WATCHED",
    "CONNECTED",
    "SCORE",
    "LOW",
    "RTT",
    "P95",
    "MISSED",
    "SENT",
    "REFUSED",
    "RECEIVED",
    "TROUBLE",
)
BARS = "▁▂▃▄▅▆▇█"
GAP = "·"
WIDEST = 72
"""Columns of the line of scores."""
LINES = 50
"""Rows that the table has at most, unless a step is asked for."""


def history(
    client: Client,
    session: IdArgument,
    since: FromOption = "24h",
    until: ToOption = None,
    step: StepOption = None,
    json: JsonOption = False,
) -> None:
    """Show the past of a session: scores as a line, and a row a step; · is a gap in which nobody watched it."""
    begin, end = moment(since), moment(until)
    if step is None and not json and begin is not None:
        # as a table it should fit on a screen
        seconds = (_time(end) if end is not None else time.time()) - _time(begin)
        step = next((name for name, width in _STEPS if seconds / width <= LINES), "7d")
    query = {"from": begin, "to": end, "step": step}
    answer = client.request("GET", f"/api/sessions/{segment(session)}/history", query=query).json
    if json:
        write_json(answer)
        return
    rows = [row(point, seconds=answer["step"] == "raw") for point in answer["points"]]
    write(f"{session}  {line(answer)}  {_span(answer)}", "", table(COLUMNS, rows))


_STEPS = (
    ("1m", 60),
    ("5m", 300),
    ("15m", 900),
    ("30m", 1800),
    ("1h", 3600),
    ("6h", 21_600),
    ("1d", 86_400),
)


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _span(answer: dict[str, Any]) -> str:
    return f"{_short(answer['from'])} to {_short(answer['to'])} UTC, step {answer['step']}"


def _short(text: str) -> str:
    return text[:16].replace("T", " ")


def line(answer: dict[str, Any]) -> str:
    """Scores as bars, a column a part of the time; a dot where there is none."""
    begin, end = _time(answer["from"]), _time(answer["to"])
    points = [(_time(point["at"]), point["score"]) for point in answer["points"] if point["score"] is not None]
    width = _width(answer["step"], begin, end)
    columns: list[list[float]] = [[] for _ in range(width)]
    for at, score in points:
        place = int((at - begin) / (end - begin) * width)
        columns[min(width - 1, max(0, place))].append(score["min"])
    return "".join(_bar(column) for column in columns)


def _width(step: str, begin: float, end: float) -> int:
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    each = 10 if step == "raw" else int(step[:-1]) * seconds[step[-1]]
    return max(1, min(WIDEST, round((end - begin) / each)))


def _bar(scores: Sequence[float]) -> str:
    return BARS[min(len(BARS) - 1, int(min(scores) / 100 * len(BARS)))] if scores else GAP


def row(point: dict[str, Any], *, seconds: bool) -> list[str]:
    """One line of the table; ``seconds``: its time to the second."""
    score, times, watched = point["score"], point["roundTripMs"], point["seconds"]
    connected = point["status"].get("connected", 0.0)
    trouble = ", ".join(f"{count} x {cause}" for cause, count in point["disconnects"].items())
    return [
        point["at"][:19].replace("T", " ") if seconds else _short(point["at"]),
        f"{watched:.0f}s",
        f"{100 * connected / watched:.0f}%" if watched else "-",
        "-" if score is None else f"{score['mean']:.0f}",
        "-" if score is None else str(score["min"]),
        *(f"{times[name]:.0f} ms" if name in times else "-" for name in ("p50", "p95")),
        str(point["heartbeatsMissed"]),
        str(point["acknowledged"]),
        str(sum(point["refused"].values())),
        str(point["received"]),
        trouble or dash(point["lastCause"]),
    ]
