"""`python -m daemon.cli` is `wavigil`."""

from daemon.cli import main

main()
