"""Options that many commands share."""

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.client import Client
from daemon.cli.errors import USAGE, CliError
from daemon.cli.locate import locate

if TYPE_CHECKING:
    from config.loader import Loaded

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration file; else $WAVIGIL_CONFIG, else /etc/wavigil/wavigil.yaml.",
        show_default=False,
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Address of the daemon; else $WAVIGIL_URL, else http.listen of the configuration.",
        show_default=False,
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="File with a token; else the token in $WAVIGIL_TOKEN, else admin.token in the state directory.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The session's id.", show_default=False)]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


def examples(*lines: str) -> str:
    """The end of a command's help: what to type."""
    # \b keeps typer from joining the lines.
    return "Examples:\n\n\b\n" + "\n".join(f"  {line}" for line in lines)


def load_config(path: Path | None) -> "Loaded":
    """The configuration.

    Raises:
        CliError: with everything that is wrong in it; exit code 2.
    """
    from config.loader import check
    from config.problems import ConfigError

    try:
        return check(path)
    except ConfigError as error:
        raise CliError(f"the configuration can't be used\n{error}", status=USAGE) from None


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which daemon is meant, and a client of it as its first parameter."""
    signature = inspect.signature(command)
    shared = {"config": ConfigOption, "url": UrlOption, "token_file": TokenFileOption}

    @functools.wraps(command)
    def wrapper(
        *, config: Path | None = None, url: str | None = None, token_file: Path | None = None, **options: Any
    ) -> None:
        target = locate(url=url, token_file=token_file, config=config, environ=os.environ, load=load_config)
        command(Client(target), **options)

    _, *own = signature.parameters.values()
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in shared.items()
    ]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + added
    # typer reads both.
    wrapper.__dict__["__signature__"] = signature.replace(parameters=parameters)
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": None}
    return wrapper


def alone(command: Callable[..., None]) -> Callable[..., None]:
    """What a group shows by itself: nothing when one of its commands is called."""

    @functools.wraps(command)
    def wrapper(context: typer.Context, **options: Any) -> None:
        if context.invoked_subcommand is None:
            command(**options)

    signature = inspect.signature(command)
    own = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    wrapper.__dict__["__signature__"] = signature.replace(parameters=[own, *signature.parameters.values()])
    wrapper.__annotations__ = {"context": typer.Context, **command.__annotations__}
    return wrapper


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what can't be undone.

    Raises:
        CliError: the answer is no, or there is nobody to ask.
    """
    if yes:
        return
    if not os.isatty(0):
        raise CliError("this can't be undone and there is no terminal to ask on", "Add --yes.", USAGE)
    if not typer.confirm(question):
        raise CliError("nothing was done")
