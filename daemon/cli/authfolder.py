"""Reading and writing a Baileys multi-file auth folder: all or nothing, closed to others, on the disk for good."""

import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from actors.connectors.baileys.authstate import BadAuthState, check
from actors.connectors.baileys.multifile import SUFFIX, UnknownFile, file_name, key_of
from actors.connectors.baileys.packing import MAX_UNPACKED
from daemon.cli.errors import USAGE, CliError

FOLDER_MODE, FILE_MODE = 0o700, 0o600


def read(folder: Path) -> dict[str, str]:
    """The entries of a folder, each checked.

    Raises:
        CliError: there is no such folder, or a file can't be used; it is named.
    """
    try:
        names = sorted(item.name for item in folder.iterdir() if item.name.endswith(SUFFIX))
    except OSError as error:
        raise CliError(f"the folder {folder} can't be read: {error.strerror}", status=USAGE) from None
    entries: dict[str, bytes] = {}
    files: dict[str, str] = {}
    for name in names:
        try:
            key = key_of(name)
        except UnknownFile as error:
            raise CliError(f"{folder}: {error}", "Move what does not belong there out of the folder.", USAGE) from None
        if key in entries:
            raise CliError(f"{folder}: {files[key]} and {name} are the same entry", "Keep the newer one.", USAGE)
        entries[key], files[key] = _content(folder / name), name
    try:
        check(entries)
        return {key: text.decode() for key, text in entries.items()}
    except BadAuthState as error:
        hint = error.remedy[0].upper() + error.remedy[1:] + "."
        raise CliError(f"{folder}: {error}; nothing was imported", hint) from None


def _content(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CliError(f"{path} is no regular file", status=USAGE)
            return file.read(MAX_UNPACKED + 1)  # one that is longer is refused for that
    except OSError as error:
        raise CliError(f"{path} can't be read: {error.strerror}", status=USAGE) from None


def is_free(folder: Path) -> bool:
    """Whether a folder of that name can be made: there is none, or an empty one."""
    try:
        return not any(folder.iterdir())
    except FileNotFoundError:
        return True
    except OSError:
        return False


def write(folder: Path, entries: Mapping[str, str]) -> None:
    """Makes a folder of mode 0700 with files of mode 0600; it appears under its name when it is whole and on the disk.

    Raises:
        CliError: it can't be written; nothing is left of it.
    """
    folder = folder.absolute()
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        part.mkdir(FOLDER_MODE)
        for key, text in entries.items():
            _write(part / file_name(key), text)
        _sync(part)
        part.rename(folder)
        _sync(folder.parent)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)  # secrets, also after Ctrl-C
        if not isinstance(error, OSError):
            raise
        raise CliError(f"the folder {folder} can't be written: {error.strerror}", "Give another place.") from None


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
