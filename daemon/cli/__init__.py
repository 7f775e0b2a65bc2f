"""The command `wavigil`."""

import sys

from actors.runtime import image
from daemon import loading


def main() -> None:
    """Run the command of this process's arguments; ends with 0 done, 1 failed, 2 wrong usage or configuration."""
    image.intern_names()
    loading.obey()
    from daemon.cli.app import app
    from daemon.cli.errors import CliError

    try:
        app(prog_name="wavigil")
    except CliError as error:
        sys.stderr.write(f"{error.text}\n")
        sys.exit(error.status)
