"""`wavigil vault …`: how auth states are sealed, and the rotation of the master key."""

import time
from typing import Any

import typer

from daemon.cli.client import Client
from daemon.cli.errors import CliError
from daemon.cli.options import JsonOption
from daemon.cli.output import write_json

LOOK_SECONDS = 0.5
CHANGED = {"vault.master_key", "vault.previous_keys"}


def status(client: Client, json: JsonOption = False) -> None:
    """Show how auth states are sealed, and how far a rotation of the master key is."""
    found = client.get("/api/vault")
    if json:
        write_json(found)
    else:
        typer.echo(sentence(found))


def rotate(client: Client, json: JsonOption = False) -> None:
    """Have the daemon take over another master key, and follow until all sessions are sealed with it.

    First put the old key into vault.previous_keys and the new one into vault.master_key. This reads the whole
    configuration again, as wavigil reload does. It may be interrupted: the rotation goes on in the daemon, also over
    restarts, and this command can be given again to follow it.
    """
    before = client.get("/api/vault")
    reloaded = client.post("/api/reload")
    found = client.get("/api/vault")
    if not CHANGED & set(reloaded["settings"]) and before["rotation"] is None and found["rotation"] is None:
        hint = "First put the old key into vault.previous_keys and a new one into vault.master_key."
        raise CliError("nothing to rotate: the master key of the configuration is the one in use", hint)
    said = ""
    while found["rotation"] is not None:
        if not json and said != (said := sentence(found)):
            typer.echo(said)
        time.sleep(LOOK_SECONDS)
        found = client.get("/api/vault")
    if json:
        write_json(found)
        return
    typer.echo("done: every session is sealed with vault.master_key")
    typer.echo("  Take vault.previous_keys out of the configuration, reload, and destroy the old key.")


def sentence(found: Any) -> str:
    """What `wavigil vault status` says."""
    if found["rotation"] is not None:
        rotation = found["rotation"]
        done = rotation["sessions"] - rotation["left"] - rotation["damaged"]
        text = f"the master key is being rotated: {max(0, done)} of {rotation['sessions']} sessions are done"
        text += f", {rotation['damaged']} open with no configured key" if rotation["damaged"] else ""
        return text + ("" if rotation["left"] else "; it ends when nobody reads vault.db, as a backup does")
    if not found["sealed"]:
        return "auth states lie plain in vault.db: no vault.master_key is configured"
    return "every session is sealed with vault.master_key; no rotation is under way"
