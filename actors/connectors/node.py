"""Finds the Node.js that runs the bridge of the Baileys connector.

`python -m actors.connectors.node` prints its path, which is how the Makefile asks.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENV: Final = "WAVIGIL_NODE"
"""Environment variable that names the Node.js to use; if it is set, no other is looked at."""

MINIMUM_MAJOR: Final = 20
"""Oldest major version that Baileys 7 runs on (its package.json, "engines")."""

_PROBE: Final = "process.stdout.write(process.version + ' ' + process.execPath)"
# A new Node.js on a slow disk takes about a second to answer for the first time.
_PROBE_TIMEOUT_S: Final = 20.0
_ANSWER: Final = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:-\S+)? (/.*)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class NodeVersion:
    """A released version of Node.js; ordered as versions are."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True, slots=True)
class NodeBinary:
    """A Node.js that is new enough."""

    path: Path
    """The program itself, absolute, not the wrapper script or version manager's shim that led to it: the
    process that a connector host starts, signals and waits for must be Node.js and no parent of it."""

    version: NodeVersion


class NodeNotFound(Exception):
    """No usable Node.js; the message says what was looked at and what to do."""


def parse_answer(text: str) -> NodeBinary | None:
    """Reads what Node.js says about itself, `v20.20.2 /usr/bin/node`; None if this is something else."""
    match = _ANSWER.fullmatch(text)
    if match is None:
        return None
    major, minor, patch, path = match.groups()
    return NodeBinary(Path(path), NodeVersion(int(major), int(minor), int(patch)))


def candidates(environ: Mapping[str, str], prefix: Path) -> Iterator[Path]:
    """Where to look, best first: `$WAVIGIL_NODE` alone if set, else the virtual environment, then `$PATH`."""
    chosen = environ.get(ENV)
    if chosen:
        yield Path(chosen)
        return
    seen = set()
    for folder in (str(prefix / "bin"), *environ.get("PATH", os.defpath).split(os.pathsep)):
        path = Path(folder or os.curdir, "node")
        if path not in seen:
            seen.add(path)
            yield path


def find_node(environ: Mapping[str, str] = os.environ, prefix: Path = Path(sys.prefix)) -> NodeBinary:
    """The first candidate that answers and is at least version 20.

    Starts one candidate after another, each for about 50 ms and for 20 s at most: for start-up, not for an
    event loop.

    Raises:
        NodeNotFound: None will do.
    """
    rejected: list[str] = []
    for path in candidates(environ, prefix):
        if not os.access(path, os.X_OK) or path.is_dir():
            if environ.get(ENV):
                rejected.append(f"{path} is not a program")
            continue
        found = _ask(path, environ)
        if found is None:
            rejected.append(f"{path} does not answer as Node.js does")
        elif found.version.major < MINIMUM_MAJOR:
            rejected.append(f"{path} is version {found.version}")
        else:
            return found
    raise NodeNotFound(_explain(rejected, chosen=bool(environ.get(ENV))))


def _ask(path: Path, environ: Mapping[str, str]) -> NodeBinary | None:
    """What the program at `path` says that it is; None if it says nothing usable in time."""
    try:
        done = subprocess.run(  # noqa: S603 - the program is the operator's own choice or comes from their PATH
            [path, "--eval", _PROBE],
            capture_output=True,
            check=True,
            env={"PATH": environ.get("PATH", os.defpath), "HOME": environ.get("HOME", "/")},
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return parse_answer(done.stdout)


def _explain(rejected: list[str], *, chosen: bool) -> str:
    """The error's sentence, with the remedy."""
    seen = f" ({'; '.join(rejected)})" if rejected else ""
    remedy = (
        f"let ${ENV} name one, or unset it" if chosen else f"run `make setup`, install Node.js, or let ${ENV} name one"
    )
    return f"no Node.js of version {MINIMUM_MAJOR} or newer found{seen}: {remedy}"


def main() -> int:
    """Prints the path of the Node.js that the bridge would run on, or says on stderr why there is none."""
    try:
        found = find_node()
    except NodeNotFound as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{found.path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
