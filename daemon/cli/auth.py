"""`wavigil auth …`: moving linked devices in and out, as folders of Baileys."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.client import Client, segment
from daemon.cli.errors import USAGE, CliError
from daemon.cli.options import IdArgument, JsonOption
from daemon.cli.output import write_json

FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="A multi-file auth folder: creds.json, session-….json, …")
]


def import_(client: Client, session: IdArgument, folder: FolderArgument, json: JsonOption = False) -> None:
    """Take over a linked device from a folder that Baileys' useMultiFileAuthState wrote; no new pairing is needed.

    The session must exist and be stopped: wavigil sessions add ID --stopped. Whatever used the folder before must have
    ended for good: two clients on one device throw each other out. Older keys than the session has are refused.
    """
    from daemon.cli import authfolder

    entries = authfolder.read(folder)
    done = client.post(f"/api/sessions/{segment(session)}/auth/import", {"entries": entries})
    if json:
        write_json(done)
        return
    typer.echo(f"{session}: {done['entries']} entries are in the vault, {done['changed']} of them new or other ones")
    typer.echo(f"  Start it: wavigil sessions start {session}")


def export(client: Client, session: IdArgument, folder: FolderArgument, json: JsonOption = False) -> None:
    """Write the linked device of a stopped session into a folder that Baileys' useMultiFileAuthState reads.

    Whoever has the folder is the device: it is made with mode 0700, and the export is entered in the audit log. Don't
    start the session again while the folder is used elsewhere.
    """
    from daemon.cli import authfolder

    if not authfolder.is_free(folder):
        raise CliError(f"{folder} is there already", "Give the name of a folder that is to be made.", USAGE)
    entries = client.post(f"/api/sessions/{segment(session)}/auth/export")["entries"]
    authfolder.write(folder, entries)
    if json:
        write_json({"sessionId": session, "folder": str(folder), "entries": len(entries)})
        return
    typer.echo(f"{folder}: {len(entries)} files, for {session}'s device; keep them secret")
    typer.echo("  Only one may use it: leave the session stopped as long as another client does.")
