"""What a backup says of itself: `manifest.json` in its folder.  Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from actors.store.tables import Kind

NAME: Final = "manifest.json"
FORMAT: Final = 1


class BadManifest(ValueError):
    """It is none, or not of a backup that this version can read."""


@dataclass(frozen=True, slots=True)
class File:
    """One database in a backup."""

    sha256: str
    bytes: int
    schema: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole backup."""

    version: str
    """Of wavigil."""
    made_at: float
    """Seconds since 1970; all databases are as they were at that moment."""
    files: Mapping[str, File]
    """By name, such as ``vault.db``."""


def dump(manifest: Manifest) -> str:
    """As it stands in the folder."""
    return json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1) + "\n"


def load(text: str) -> Manifest:
    """The inverse.  Raises BadManifest."""
    try:
        found: Any = json.loads(text)
        if found["format"] != FORMAT:
            raise BadManifest(f"it has format {found['format']!r}, this version of wavigil reads {FORMAT}")
        files = {_name(name): _file(entry) for name, entry in found["files"].items()}
        made_at = found["made_at"]
        if type(made_at) not in {int, float} or type(found["version"]) is not str:
            raise TypeError("made_at or version")
        manifest = Manifest(found["version"], float(made_at), files)
    except BadManifest:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise BadManifest("it is no manifest of a backup") from None
    for needed in ("api.db", "vault.db"):
        if needed not in files:
            raise BadManifest(f"{needed} is not in it")
    return manifest


def _file(entry: Any) -> File:
    found = File(entry["sha256"], entry["bytes"], entry["schema"])
    if not (type(found.sha256) is str and type(found.bytes) is int and type(found.schema) is str):
        raise TypeError("a file")
    return found


def _name(name: str) -> str:
    kind_of(name)
    return name


def kind_of(name: str) -> Kind:
    """What a file of that name holds.  Raises BadManifest: nothing of another name is ever written."""
    stem = name.removesuffix(".db")
    if stem != name and stem.startswith("shard-") and stem.removeprefix("shard-").isdecimal() and stem.isascii():
        return Kind.SHARD
    if stem != name and stem in set(Kind) - {Kind.SHARD}:
        return Kind(stem)
    raise BadManifest(f"{name!r} is no database of wavigil")
