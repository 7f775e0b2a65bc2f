"""Where the daemon keeps its state and its sockets, and whether a file can be read."""

import os
from collections.abc import Mapping
from pathlib import Path

LONGEST_SOCKET_PATH = 107
"""In bytes: `sun_path` of a Unix socket has 108 with its closing NUL (unix(7))."""


def _first_directory(value: str) -> str:
    # systemd puts several directories of a unit into one variable, separated by colons (systemd.exec(5)).
    return value.split(":", 1)[0]


def default_state_dir(environ: Mapping[str, str]) -> Path:
    """`$STATE_DIRECTORY` (systemd's StateDirectory=), else `~/.local/state/wavigil`."""
    if directory := _first_directory(environ.get("STATE_DIRECTORY", "")):
        return Path(directory)
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return home / ".local/state/wavigil"


def default_runtime_dir(environ: Mapping[str, str], state_dir: Path) -> Path:
    """`$RUNTIME_DIRECTORY` (systemd's RuntimeDirectory=), else the state directory."""
    directory = _first_directory(environ.get("RUNTIME_DIRECTORY", ""))
    return Path(directory) if directory else state_dir


def unreadable_because(path: Path) -> str | None:
    """Why a file can't be read, or None if it can."""
    try:
        with path.open("rb"):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__


def socket_path(runtime_dir: Path, name: str) -> Path:
    """The path of a Unix socket in the runtime directory.

    Raises:
        ValueError: the path is longer than the kernel allows; the sentence says what to change.
    """
    path = runtime_dir / name
    length = len(os.fsencode(path))
    if length > LONGEST_SOCKET_PATH:
        raise ValueError(
            f"the socket path {path} has {length} bytes and a Unix socket allows {LONGEST_SOCKET_PATH}: "
            f"set runtime_dir to a directory of at most {LONGEST_SOCKET_PATH - len(os.fsencode(name)) - 1}"
        )
    return path
