"""`wavigil backup` and `wavigil restore`: all databases, out and in."""

import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.client import Client
from daemon.cli.errors import USAGE, CliError
from daemon.cli.locate import locate
from daemon.cli.options import ConfigOption, JsonOption, TokenFileOption, UrlOption, load_config
from daemon.cli.output import size, write_json

if TYPE_CHECKING:
    from daemon.backup.restore import Restored

PATIENCE_SECONDS = 3600.0
"""For a backup of large databases."""

TargetArgument = Annotated[
    Path | None,
    typer.Argument(metavar="FOLDER", help="A folder to be made; else wavigil-backup-TIME in this directory."),
]
SourceArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="What wavigil backup made.")]
AcceptOption = Annotated[
    bool, typer.Option("--accept-stale-keys", help="Let restored sessions start, though their keys may be old.")
]


def backup(
    folder: TargetArgument = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Make a backup of all databases as of one moment, whether the daemon runs or not.

    A running daemon makes it itself, so the folder is its user's, on its machine. Auth states are in it: it is closed
    to others; keep it so. The master key and the configuration are not in it.
    """
    from daemon.prepare import StartError, hold

    loaded = load_config(config)
    state_dir = Path(loaded.config.state_dir)
    name = f"wavigil-backup-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    target = (folder or Path(name)).absolute()
    try:
        lock = hold(state_dir) if state_dir.is_dir() else None
    except StartError:
        found = locate(url=url, token_file=token_file, config=config, environ=os.environ, load=lambda _: loaded)
        done = Client(found, PATIENCE_SECONDS).post("/api/backup", {"directory": str(target)})
    else:
        try:
            done = _directly(state_dir, target)
        finally:
            if lock is not None:
                os.close(lock)
    if json:
        write_json(done)
        return
    total = sum(file["bytes"] for file in done["files"])
    typer.echo(f"{done['directory']}: {len(done['files'])} databases, {size(total)}, as of {done['madeAt']}")


def _directly(state_dir: Path, target: Path) -> dict[str, Any]:
    from daemon.backup import restore as restoring
    from daemon.backup.make import BackupError, make

    try:
        restoring.finish(state_dir)  # one that was killed in its middle: else half of it would be saved
        manifest = make(state_dir, target, running=False)
    except BackupError as error:
        raise CliError(str(error)) from None
    found = [{"name": name, "bytes": file.bytes} for name, file in manifest.files.items()]
    return {"directory": str(target), "madeAt": _moment(manifest.made_at), "files": found}


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def restore(
    folder: SourceArgument, accept: AcceptOption = False, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Put a backup back; the daemon must be stopped.

    Into an empty state directory all of it goes. Beside databases that are there only auth states go, and none over a
    newer one. Restored sessions stay stopped: their keys are as old as the backup. Once it is certain that nothing else
    runs these devices, give the command again with --accept-stale-keys, or start them one by one.

    Exit code 1 if an auth state was refused, 0 else; a kill at any moment does no harm.
    """
    from actors.settings import master_keys
    from daemon.backup.restore import RestoreError
    from daemon.backup.restore import restore as put_back
    from daemon.backup.verdicts import Verdict
    from daemon.prepare import StartError, hold, make_directory

    loaded = load_config(config)
    state_dir = Path(loaded.config.state_dir)
    try:
        make_directory(state_dir)
        lock = hold(state_dir)
    except StartError as error:
        raise CliError(str(error)) from None
    try:
        done = put_back(folder, state_dir, master_keys(loaded.config.vault), accept_stale=accept)
    except RestoreError as error:
        raise CliError(f"{error}; nothing was changed", status=USAGE) from None
    finally:
        os.close(lock)
    refused = {id: decision.why for id, decision in done.decisions.items() if decision.verdict is Verdict.REFUSED}
    if json:
        write_json(_wire(done, refused))
    else:
        _show(done, refused, state_dir, folder)
    if refused:
        raise typer.Exit(1)


def _wire(done: "Restored", refused: dict[str, str]) -> dict[str, Any]:
    return {
        "madeAt": _moment(done.manifest.made_at),
        "whole": done.whole,
        "sessions": {id: str(decision.verdict) for id, decision in done.decisions.items()},
        "refused": refused,
        "stopped": list(done.stopped),
    }


def _show(done: "Restored", refused: dict[str, str], state_dir: Path, folder: Path) -> None:
    what = f"{len(done.manifest.files)} databases" if done.whole else "auth states only, since databases are there"
    typer.echo(f"{state_dir}: restored as of {_moment(done.manifest.made_at)}, {what}")
    found = Counter(str(decision.verdict) for decision in done.decisions.values())
    typer.echo(
        f"  auth states: {found['taken']} taken from the backup, {found['same']} the same, {len(refused)} refused"
    )
    for id, why in refused.items():
        typer.echo(f"  {id} stays as it is: {why}")
    if done.stopped:
        typer.echo(f"  These stay stopped, for their keys are as old as the backup: {', '.join(done.stopped)}")
        typer.echo("  If nothing else runs these devices, have them start:")
        typer.echo(f"    wavigil restore {folder} --accept-stale-keys     all, while the daemon is stopped")
        typer.echo("    wavigil sessions start ID --accept-stale-keys     one, while it runs")
