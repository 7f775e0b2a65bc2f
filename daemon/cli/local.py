"""Commands that need no running daemon: running it, checking its configuration, describing it."""

import shlex
import shutil
import sys
import threading
import time
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.client import Client
from daemon.cli.errors import CliError
from daemon.cli.locate import TOKEN_FILE, Target, read_token
from daemon.cli.options import ConfigOption, JsonOption, load_config
from daemon.cli.output import write_json

if TYPE_CHECKING:
    from daemon.app import App

READY_SECONDS = 60.0
"""How long the demonstration may take to be ready before its hints are printed anyway."""

OriginsOption = Annotated[bool, typer.Option("--origins", help="Say for each value in which line it stands.")]


def run(config: ConfigOption = None) -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C."""
    load_config(config)  # a wrong one is told before the daemon itself is even imported
    from daemon.run import run as run_daemon

    raise typer.Exit(run_daemon(config))


def demo() -> None:
    """Run a demonstration: 12 simulated sessions whose troubles come and go; no phone and no network is needed."""
    import config
    from daemon.run import run as run_daemon

    path = Path(config.__file__).with_name("demo.yaml")
    token_file = load_config(path).config.state_dir / TOKEN_FILE

    def announce(app: "App") -> None:
        # In a thread, because the actors' start is watched from outside, and the event loop has them to serve.
        threading.Thread(target=_hint, args=(app.address, token_file), daemon=True).start()

    raise typer.Exit(run_daemon(path, announce))


def _hint(url: str, token_file: Path) -> None:
    """Once the daemon is ready: where it is and what to try."""
    client = Client(Target(url, read_token(token_file), str(token_file), "wavigil demo"))
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            client.get("/readyz")
            break
        except CliError:
            time.sleep(0.2)
    typer.echo(hint(url, token_file, command()))


def hint(url: str, token_file: Path, wavigil: str) -> str:
    """What the demonstration prints once it is ready.  Pure."""
    return f"""
The demonstration is ready; Ctrl-C ends it.

  address     {url}
  token file  {token_file}

In another terminal:

  export WAVIGIL_URL={url} WAVIGIL_TOKEN=$(cat {shlex.quote(str(token_file))})
  {wavigil} status
  {wavigil} tree
  {wavigil} send support-1 15550100189 'Hello'
"""


def command() -> str:
    """How this command is called from a shell: by its name if that finds it, else by its path."""
    here = Path(sys.argv[0]).absolute()
    found = shutil.which(here.name)
    return here.name if found is not None and Path(found).absolute() == here else shlex.quote(str(here))


def version() -> None:
    """Show the version."""
    typer.echo(f"wavigil {installed('wavigil')}")


def openapi() -> None:
    """Write the OpenAPI 3.1 document of the HTTP API."""
    from daemon.api.openapi import document

    write_json(document(installed("wavigil")))


def check_config(config: ConfigOption = None, origins: OriginsOption = False, json: JsonOption = False) -> None:
    """Check the configuration and show what is in effect, secrets hidden; nothing is started."""
    from config.show import plain, show

    loaded = load_config(config)
    if json:
        write_json(plain(loaded.config))
    else:
        typer.echo(show(loaded, origins=origins), nl=False)
    what = "no configuration file; defaults are" if loaded.source is None else f"{loaded.source} is"
    sys.stderr.write(f"{what} fine: {len(loaded.config.sessions)} sessions\n")
