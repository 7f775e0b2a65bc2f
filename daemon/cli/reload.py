"""`wavigil reload`: the daemon reads its configuration again."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from daemon.cli.client import Client
from daemon.cli.options import JsonOption
from daemon.cli.output import write_json

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]


def reload(client: Client, dry_run: DryRunOption = False, json: JsonOption = False) -> None:
    """Have the daemon read its configuration file again; sessions that did not change keep their connection."""
    query = {"dryRun": "true" if dry_run else None}
    answer = client.request("POST", "/api/reload", query=query).json
    if json:
        write_json(answer)
    else:
        typer.echo("\n".join(summary(answer)))


def summary(answer: dict[str, Any]) -> Iterator[str]:
    """What a reload did, line by line.  Pure."""
    source = answer["source"] or "no file: the defaults"
    yield f"{source}: {'this would change' if answer['dryRun'] else 'in effect'}"
    rows = {
        "added": answer["added"],
        "removed": answer["removed"],
        "changed": [f"{item['sessionId']} ({', '.join(item['fields'])})" for item in answer["changed"]],
        "taken over from the API": answer["takenOver"],
        "given back to the API": answer["givenBack"],
        "settings": answer["settings"],
    }
    for what, which in rows.items():
        if which:
            yield f"  {what}: {', '.join(which)}"
    yield f"  unchanged: {answer['unchanged']} sessions"
    if answer["restartNeeded"]:
        yield f"Restart the daemon for: {', '.join(answer['restartNeeded'])}"
