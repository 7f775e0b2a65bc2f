"""The file: a .tar.gz of mode 0600 that is there as a whole or not at all."""

import gzip
import io
import os
import tarfile
from pathlib import Path


def write(target: Path, folder: str, members: dict[str, bytes], now: float) -> None:
    """Writes ``members`` (name to content) into ``folder`` of a new archive.

    Raises FileExistsError when ``target`` is there already, OSError when it can't be written; then nothing is left.
    """
    if target.exists() or target.is_symlink():
        raise FileExistsError(target)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=now) as packed:
                _pack(packed, folder, members, now)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _pack(file: gzip.GzipFile, folder: str, members: dict[str, bytes], now: float) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), int(now), 0o600
            archive.addfile(entry, io.BytesIO(content))
