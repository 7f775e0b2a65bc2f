"""Who may read what.  Files hold auth states, texts, phone numbers and tokens."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.doctor.finding import Finding, fail, ok, warn

OTHERS = 0o077
SHOWN = 5
"""Files that a finding names; the rest is a number."""
SECRET = ("admin.token", "vault.db", "vault.db-wal", "vault.sock", "gateway.sock")


@dataclass(frozen=True, slots=True)
class Found:
    """A file or directory."""

    path: Path
    mode: int
    """Permission bits."""
    owner: int


def look(paths: Iterable[Path]) -> Iterator[Found]:
    """Those of the paths that exist and can be seen; links are not followed."""
    for path in paths:
        try:
            found = os.lstat(path)
        except OSError:
            continue
        if not stat.S_ISLNK(found.st_mode):
            yield Found(path, stat.S_IMODE(found.st_mode), found.st_uid)


def _named(paths: list[Path]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return " ".join(str(path) for path in paths[:SHOWN]) + more


def modes(directory: Found, files: list[Found]) -> Finding:
    """Are the state directory and its files closed to others?"""
    name = "permissions"
    strangers = [found.path for found in files if found.owner != directory.owner]
    if strangers:
        return fail(
            name,
            f"not of the owner of {directory.path} (user {directory.owner}): {_named(strangers)}",
            f"chown -R {directory.owner} {directory.path}; start wavigil always as the same user",
        )
    open_files = [found.path for found in files if found.mode & OTHERS]
    if open_files and directory.mode & OTHERS:
        secret = any(path.name in SECRET for path in open_files)
        return (fail if secret else warn)(
            name,
            f"others may read or write {_named(open_files)}",
            f"chmod 700 {directory.path}; chmod 600 {directory.path}/*; "
            "and delete admin.token for a new one if others may have read it",
        )
    if open_files or directory.mode & OTHERS:
        paths = [*open_files, *([directory.path] if directory.mode & OTHERS else [])]
        return warn(
            name,
            f"wider than they need to be: {_named(paths)}",
            f"chmod 700 {directory.path}; chmod 600 {directory.path}/* (in a unit StateDirectoryMode=0700, UMask=0077)",
        )
    return ok(name, f"{directory.path} and {len(files)} files in it are closed to others, of user {directory.owner}")


def secrets(files: list[Found], inline: Found | None) -> Finding:
    """Files that secrets come from; ``inline`` is the configuration file, if secrets stand in it."""
    readable = [found.path for found in files if found.mode & OTHERS]
    if readable:
        return warn("secrets", f"others may read {_named(readable)}", f"chmod 600 {_named(readable)}")
    if inline is not None and inline.mode & OTHERS:
        return warn(
            "secrets",
            f"secrets stand in {inline.path}, which others may read",
            f"chmod 600 {inline.path}, or put them elsewhere: file:/path, credential:name or ${{NAME}}",
        )
    return ok("secrets", "what the configuration refers to is closed to others")
