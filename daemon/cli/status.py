"""`wavigil status`: how the sessions are."""

from typing import Annotated, Any

import typer

from daemon.cli.client import Client, segment
from daemon.cli.options import JsonOption
from daemon.cli.output import (
    STATUS_STYLE,
    ago,
    dash,
    duration,
    labels_text,
    table,
    write,
    write_json,
)

STATUS = "/api/whatsapp-status"

OptionalId = Annotated[
    str | None, typer.Argument(metavar="ID", help="One session; without it, all.", show_default=False)
]
StatusOption = Annotated[
    str | None,
    typer.Option("--status", metavar="STATUS,…", help="Only sessions with one of these statuses.", show_default=False),
]
LabelOption = Annotated[
    str | None,
    typer.Option("--label", "-l", metavar="NAME:VALUE", help="Only sessions with this label.", show_default=False),
]


def status(
    client: Client,
    session: OptionalId = None,
    only: StatusOption = None,
    label: LabelOption = None,
    json: JsonOption = False,
) -> None:
    """Show how all sessions are, or one in detail."""
    if session is not None:
        _one(client, session, json=json)
        return
    sessions = list(client.pages(f"{STATUS}/bulk", status=only, label=label))
    if json:
        write_json(sessions)
        return
    write(table(COLUMNS, [_row(item) for item in sessions], status_column=1))
    write(_totals(sessions))
    for problem in client.get(f"{STATUS}/health-summary")["problems"]:
        typer.echo(f"wavigil: {problem}", err=True)


COLUMNS = ("SESSION", "STATUS", "SCORE", "QUALITY", "LAST SEEN", "ATTEMPTS", "WHY")


def _row(item: dict[str, Any]) -> list[str]:
    cause = item["statusMetadata"]["cause"]
    # Of a connected session the last cause is history.
    why = cause["name"] if cause and item["status"] != "connected" else ""
    return [
        item["sessionId"],
        item["status"],
        dash(item["healthScore"]),
        dash(item["connectionQuality"]),
        ago(item["lastSeen"]),
        str(item["reconnectAttempts"]),
        dash(why),
    ]


def _totals(sessions: list[dict[str, Any]]) -> str:
    counts = {name: sum(item["status"] == name for item in sessions) for name in STATUS_STYLE}
    parts = [f"{number} {name}" for name, number in counts.items() if number]
    return f"\n{len(sessions)} sessions" + (f": {', '.join(parts)}" if parts else "")


def _one(client: Client, session: str, *, json: bool) -> None:
    item = client.get(f"{STATUS}/{segment(session)}")
    if json:
        write_json(item)
        return
    meta = item["statusMetadata"]
    cause = meta["cause"]
    write(
        table(
            ("SESSION", item["sessionId"]),
            [
                ("status", item["status"]),
                ("state", f"{item['state']}, since {ago(meta['since'])}"),
                ("account", dash(meta["me"])),
                ("health", _health(item)),
                ("last seen", ago(item["lastSeen"])),
                ("attempts", f"{item['reconnectAttempts']}, next {ago(meta['nextAttemptAt'])}"),
                ("errors in 24 h", str(item["errorCount"])),
                ("round trip", _round_trip(meta["roundTripMs"])),
                ("labels", labels_text(item["labels"])),
                ("connector", f"{item['connector']}, from the {item['origin']}"),
                *([("proxy", item["proxy"])] if item["proxy"] else []),
            ],
            status_column=1,
        )
    )
    if meta["components"]:
        rows = [
            (name, f"{part['points']:g}/{part['max']:g}", duration(part["evidenceAgeSeconds"]), part["why"])
            for name, part in meta["components"].items()
        ]
        write("", table(("SCORE", "POINTS", "AGE", "WHY"), rows))
    if meta["capped"]:
        write(f"\nCapped: {meta['capped']}")
    if cause:
        code = "" if cause["code"] is None else f", code {cause['code']}"
        lines = [f"\nLast disconnect: {cause['name']}{code}, {ago(cause['at'])}"]
        lines += [f"  {cause[part]}" for part in ("message", "remedy") if cause[part]]
        lines += [f"  Until {meta['until']}"] if meta["until"] else []
        write("\n".join(lines))
    if paused := meta["recoveryPaused"]:
        end = f"ends {ago(paused['until'])}" if paused["until"] else "until somebody ends it"
        held = "it waits for the end" if paused["waits"] else "its connection is not touched"
        ids = ", ".join(map(str, paused["pauses"]))
        write(f"\nRecovery is paused ({ids}), {end}: {held}" + (f"\n  {paused['reason']}" if paused["reason"] else ""))


def _health(item: dict[str, Any]) -> str:
    confidence = item["statusMetadata"]["confidence"]
    backed = "" if confidence is None else f", {confidence:.0%} of it backed by fresh evidence"
    return f"{dash(item['healthScore'])} of 100, {dash(item['connectionQuality'])}{backed}"


def _round_trip(times: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f} ms" for name, value in times.items()) or "-"
