"""`wavigil support-bundle`: one redacted file for whoever helps."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.client import Client
from daemon.cli.doctor import place_of
from daemon.cli.errors import USAGE, CliError
from daemon.cli.locate import locate
from daemon.cli.options import ConfigOption, JsonOption, TokenFileOption, UrlOption, load_config
from daemon.cli.output import write_json

PATIENCE_SECONDS = 20.0
"""For an answer of the daemon; what does not come in time is missing, and the bundle says so."""

OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where to write it; else wavigil-support-TIME.tar.gz in this directory.",
        show_default=False,
    ),
]
LinesOption = Annotated[int, typer.Option("--lines", metavar="N", min=1, max=1_000_000, help="Lines of the log.")]


def support_bundle(
    config: ConfigOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    output: OutputOption = None,
    lines: LinesOption = 2000,
    json: JsonOption = False,
) -> None:
    """Collect what is needed to help, redacted, into one .tar.gz that only you can read.

    Works with the daemon up or down; manifest.json says what is inside, and what could not be had and why.
    Phone numbers, JIDs, tokens and keys are hidden; no message text and no database row is in it. Session ids and
    labels are: look into it before you give it away.
    """
    from daemon.support import archive
    from daemon.support.collect import collect

    loaded = load_config(config)
    place = place_of(loaded, url, PATIENCE_SECONDS)
    client: Client | CliError
    try:
        target = locate(url=url, token_file=token_file, config=config, environ=os.environ, load=lambda _: loaded)
        client = Client(target, PATIENCE_SECONDS)
    except CliError as error:
        client = error
    now = time.time()
    name = f"wavigil-support-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}"
    path = output or Path(f"{name}.tar.gz")
    found = collect(place, client, lines)
    try:
        archive.write(path, name, found.members, now)
    except FileExistsError:
        raise CliError(f"{path} is there already", "Give another name: --output.", USAGE) from None
    except OSError as error:
        raise CliError(f"{path} can't be written: {error.strerror}", "Give another place: --output.") from None
    if json:
        write_json({"file": str(path), "files": sorted(found.members), "missing": found.failed})
        return
    typer.echo(f"{path}: {len(found.members)} files, {path.stat().st_size / 1000:.0f} kB, redacted")
    for missing, why in found.failed.items():
        typer.echo(f"  without {missing}: {why}")
