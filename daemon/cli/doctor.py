"""`wavigil doctor`: is everything as it should be, and if not, what helps?"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.client import Client
from daemon.cli.errors import FAILED, CliError
from daemon.cli.locate import URL_VARIABLE, Target, address, check_url
from daemon.cli.options import ConfigOption, JsonOption, UrlOption, load_config
from daemon.cli.output import console, write_json

if TYPE_CHECKING:
    from config.loader import Loaded
    from daemon.doctor.examine import Place
    from daemon.doctor.finding import Finding

PATIENCE_SECONDS = 5.0
"""For an answer of the daemon: a daemon that needs longer is a finding."""

STYLE = {"ok": "green", "warn": "yellow", "fail": "bold red"}

DeepOption = Annotated[bool, typer.Option("--deep", help="Read every page of the databases, also while it runs.")]


def doctor(
    config: ConfigOption = None,
    url: UrlOption = None,
    deep: DeepOption = False,
    json: JsonOption = False,
) -> None:
    """Check the machine, the state directory and the daemon; say what helps.

    Works with the daemon up or down. It changes nothing; one temporary file in the state directory measures the disk.
    Run it as the daemon's user or as root: others may not look at everything, and it says so.
    """
    from daemon.doctor.examine import examine
    from daemon.doctor.finding import Level, worst

    found = examine(place_of(load_config(config), url, PATIENCE_SECONDS), deep=deep)
    level = worst(found)
    if json:
        write_json({"level": level, "findings": [finding.to_wire() for finding in found]})
    else:
        show(found)
    if level is Level.FAIL:
        raise typer.Exit(FAILED)


def place_of(loaded: "Loaded", url: str | None, patience: float) -> "Place":
    """Where the daemon of a configuration is looked for; ``patience`` is in seconds."""
    from daemon.doctor.examine import find

    start = "wavigil run" + (f" --config {loaded.source}" if loaded.source is not None else "")
    return find(loaded, _asker(loaded, url or os.environ.get(URL_VARIABLE) or None, patience), start)


def _asker(loaded: "Loaded", url: str | None, patience: float) -> Callable[[str], str]:
    from daemon.doctor.examine import Unanswered

    http = loaded.config.http
    where = check_url(url) if url else address(http.host, http.port, secure=http.tls is not None)

    def ask(path: str) -> str:
        certificate = Path(http.tls.certificate) if http.tls is not None and not url else None
        try:
            return Client(Target(where, "", "nowhere", "", certificate), patience).text(path)
        except CliError as error:
            raise Unanswered(error.message) from None

    return ask


def show(findings: list["Finding"]) -> None:
    """A line a finding; below it, what helps."""
    from rich.text import Text

    out = console()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        line = Text.assemble((f"{finding.level:4}", STYLE[finding.level]), f"  {finding.name:{width}}  {finding.what}")
        out.print(line, soft_wrap=True)
        if finding.remedy:
            out.print(Text(f"{'':{width + 6}}  -> {finding.remedy}"), soft_wrap=True)
    counts = {level: sum(finding.level == level for finding in findings) for level in STYLE}
    out.print(f"\n{len(findings)} checks: {counts['ok']} ok, {counts['warn']} warnings, {counts['fail']} failed")
