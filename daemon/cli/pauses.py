"""`wavigil recovery pause`, `pauses`, `resume`: maintenance windows."""

from typing import Annotated, Any

import typer

from daemon.cli.audit import moment
from daemon.cli.client import Client, segment
from daemon.cli.errors import USAGE, CliError
from daemon.cli.options import JsonOption
from daemon.cli.output import ago, dash, labels_text, table, write, write_json
from daemon.cli.sessions import labels_of

PAUSES = "/api/recovery/pauses"

WhomArgument = Annotated[str | None, typer.Argument(metavar="[ID]", help="This session.", show_default=False)]
WhomLabels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        "-l",
        metavar="NAME:VALUE",
        help="All sessions with this label; repeated: with all of them.",
        show_default=False,
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="All sessions.")]
ForOption = Annotated[
    str | None, typer.Option("--for", metavar="LENGTH", help="How long: 90m, 2h, 1d.", show_default=False)
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Until when: 2026-01-31T08:15.", show_default=False)
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="For those who see the sessions waiting.", show_default=False)
]
PausedArgument = Annotated[
    str | None,
    typer.Argument(metavar="[WHAT]", help="Number of a pause, or a session that was paused by itself."),
]
EndAllOption = Annotated[bool, typer.Option("--all", help="End all pauses.")]


def pauses(client: Client, json: JsonOption = False) -> None:
    """List the pauses of recovery in effect."""
    found = client.get(PAUSES)["pauses"]
    if json:
        write_json(found)
        return
    rows = [
        [
            str(pause["id"]),
            whom(pause),
            str(pause["sessions"]),
            ago(pause["at"]),
            ago(pause["until"]) if pause["until"] else "until ended",
            pause["who"],
            dash(pause["reason"]),
        ]
        for pause in found
    ]
    write(table(("PAUSE", "OF", "SESSIONS", "BEGAN", "ENDS", "BY", "REASON"), rows))


def pause(
    client: Client,
    session: WhomArgument = None,
    label: WhomLabels = None,
    everything: AllOption = False,
    length: ForOption = None,
    until: UntilOption = None,
    reason: ReasonOption = "",
    json: JsonOption = False,
) -> None:
    """Pause recovery: what is open stays open, what closes waits until the pause ends."""
    if [session is not None, bool(label), everything].count(True) != 1:
        raise CliError("pause what? Give one of ID, --label and --all", "wavigil recovery pause --help", USAGE)
    if length is not None and until is not None:
        raise CliError("--for and --until exclude each other", status=USAGE)
    body = {
        "sessionId": session,
        "labels": labels_of(label) if label else None,
        "all": everything or None,
        "for": length,
        "until": moment(until),
        "reason": reason,
    }
    made = client.post(PAUSES, {name: value for name, value in body.items() if value is not None})
    if json:
        write_json(made)
        return
    end = f"until {made['until']}" if made["until"] else f"until: wavigil recovery resume {made['id']}"
    end = f"for {length}" if length is not None else end
    count = made["sessions"]
    typer.echo(f"pause {made['id']} of {whom(made)}: {count} session{'s' if count != 1 else ''} now, {end}")
    if count == 0:
        typer.echo("  No session has that label at present; those that get it are covered.")


def resume(client: Client, what: PausedArgument = None, everything: EndAllOption = False) -> None:
    """End a pause of recovery; the sessions that waited for it connect."""
    if (what is None) is not everything:
        raise CliError("resume what? Give a pause, a session, or --all", "wavigil recovery pauses", USAGE)
    found = client.get(PAUSES)["pauses"]
    if what is not None and not what.isdigit():
        own = [pause for pause in found if pause["sessionId"] == what]
        if not own:
            raise CliError(f"{what} is under no pause of its own", _others(client, what, found))
        found = own
    ids = [what] if what is not None and what.isdigit() else [str(pause["id"]) for pause in found]
    for id in ids:
        client.request("DELETE", f"{PAUSES}/{segment(id)}")
        typer.echo(f"pause {id} has ended")
    if not ids:
        typer.echo("nothing was paused")


def _others(client: Client, session: str, found: list[dict[str, Any]]) -> str:
    """What to do about a session that only pauses of others cover."""
    status = client.get(f"/api/whatsapp-status/{segment(session)}")["statusMetadata"]["recoveryPaused"]
    covering = [] if status is None else [pause for pause in found if pause["id"] in status["pauses"]]
    if not covering:
        return "Its recovery is not paused at all."
    named = ", ".join(f"{pause['id']} ({whom(pause)})" for pause in covering)
    return f"It is covered by {named}; to end one for all of them: wavigil recovery resume {covering[0]['id']}"


def whom(pause: dict[str, Any]) -> str:
    """Whom a pause covers.  Pure."""
    if pause["all"]:
        return "all sessions"
    return pause["sessionId"] or labels_text(pause["labels"])
