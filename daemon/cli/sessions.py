"""`wavigil sessions …`: which sessions there are, and their life cycle."""

from typing import Annotated, Any

import typer

from daemon.cli.client import Client, segment
from daemon.cli.errors import USAGE, CliError
from daemon.cli.options import IdArgument, JsonOption, YesOption, confirm
from daemon.cli.output import dash, labels_text, table, write, write_json
from daemon.cli.status import LabelOption

SESSIONS = "/api/sessions"

ConnectorOption = Annotated[str, typer.Option("--connector", metavar="NAME", help="What connects it.")]
LabelsOption = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", metavar="NAME:VALUE", help="A label; may be repeated.", show_default=False),
]
ProxyOption = Annotated[
    str | None,
    typer.Option("--proxy", metavar="NAME", help="A proxy of the configuration.", show_default=False),
]
StoppedOption = Annotated[bool, typer.Option("--stopped", help="Don't start it yet.")]
AcceptOption = Annotated[
    bool, typer.Option("--accept-stale-keys", help="Even if its keys came out of a backup and may be old.")
]
PurgeOption = Annotated[bool, typer.Option("--purge", help="Also delete its auth state; it must be paired again.")]


def list_(client: Client, label: LabelOption = None, json: JsonOption = False) -> None:
    """List the sessions and where each is configured."""
    sessions = list(client.pages(SESSIONS, label=label))
    if json:
        write_json(sessions)
        return
    rows = [
        [
            item["id"],
            item["status"],
            item["connector"],
            "yes" if item["enabled"] else "no",
            labels_text(item["labels"]),
            dash(item["source"] or item["origin"]),
        ]
        for item in sessions
    ]
    write(table(("SESSION", "STATUS", "CONNECTOR", "ENABLED", "LABELS", "CONFIGURED IN"), rows, status_column=1))


def add(
    client: Client,
    session: IdArgument,
    connector: ConnectorOption = "baileys",
    label: LabelsOption = None,
    proxy: ProxyOption = None,
    stopped: StoppedOption = False,
    json: JsonOption = False,
) -> None:
    """Add a session; it is kept by the daemon, not by the configuration file."""
    body = {"id": session, "connector": connector, "labels": labels_of(label or []), "enabled": not stopped}
    body |= {} if proxy is None else {"proxy": proxy}
    # The simulator's sessions are paired from the start, unless it is configured otherwise.
    hint = f"; pair it with: wavigil pair {session}" if connector != "simulator" else ""
    _done(client.post(SESSIONS, body), f"added{hint}", json=json)


def labels_of(texts: list[str]) -> dict[str, str]:
    """Labels as options give them.  Raises CliError."""
    labels = {}
    for text in texts:
        name, separator, value = text.partition(":")
        if not separator:
            raise CliError("a label is written NAME:VALUE, such as team:support", status=USAGE)
        labels[name] = value
    return labels


def remove(client: Client, session: IdArgument, purge: PurgeOption = False, yes: YesOption = False) -> None:
    """Remove a session; its auth state stays unless purged."""
    if purge:
        confirm(f"Remove {session} and delete its auth state for good?", yes=yes)
    client.request("DELETE", _path(session), query={"purge": "true" if purge else None})
    typer.echo(f"{session}: removed" + (", auth state deleted" if purge else "; its auth state is kept"))


def reconnect(client: Client, session: IdArgument, json: JsonOption = False) -> None:
    """Close the connection of a session and open a new one."""
    answer = client.post(f"/api/whatsapp-status/{segment(session)}/reconnect")
    if json:
        write_json(answer)
    else:
        typer.echo(f"{session}: reconnecting; watch it with: wavigil status {session}")


def start(client: Client, session: IdArgument, accept: AcceptOption = False, json: JsonOption = False) -> None:
    """Start a stopped session."""
    query = {"acceptStaleKeys": "true" if accept else None}
    _done(client.request("POST", f"{_path(session)}/start", query=query).json, "starting", json=json)


def stop(client: Client, session: IdArgument, json: JsonOption = False) -> None:
    """Stop a session; it stays stopped over restarts of the daemon."""
    _done(
        client.post(f"{_path(session)}/stop"),
        f"stopping; start it again with: wavigil sessions start {session}",
        json=json,
    )


def logout(client: Client, session: IdArgument, yes: YesOption = False, json: JsonOption = False) -> None:
    """Unlink a session from its phone and delete its auth state."""
    confirm(f"Unlink {session} from its phone? It must be paired again.", yes=yes)
    _done(client.post(f"{_path(session)}/logout"), "logging out", json=json)


def _path(session: str) -> str:
    return f"{SESSIONS}/{segment(session)}"


def _done(answer: Any, what: str, *, json: bool) -> None:
    if json:
        write_json(answer)
    else:
        typer.echo(f"{answer['id']}: {what}")
