"""The files of a multi-file auth folder, as Baileys' ``useMultiFileAuthState`` names them, and the vault's keys.  Pure.

An entry is kept under ``creds`` or ``type/id`` in the vault, and in the folder as ``creds.json`` or ``type-id.json``.
The folder's names are not unique: ``fixFileName`` of Baileys 7.0.0-rc14 (lib/Utils/use-multi-file-auth-state.js) writes
"/" as "__" and ":" as "-".  What an id may hold is known for each type, and tells how to read it back.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

CREDS: Final = "creds"
SUFFIX: Final = ".json"


class UnknownFile(ValueError):
    """The name is not that of a file of such a folder."""


def _as_it_is(text: str) -> str:
    return text


def _base64(text: str) -> str:
    """Ids in base64, whose alphabet has "/" but no "_"."""
    return text.replace("__", "/")


def _sender_key(text: str) -> str:
    """``group::user::device``; a group's id may hold a single "-", a user's none."""
    found = _SENDER_KEY.fullmatch(text)
    return text if found is None else "::".join(found.groups())


_SENDER_KEY = re.compile(r"(.+?)--([^-]+)--(\d+)")
_READERS: Final[Mapping[str, Callable[[str], str]]] = {
    "pre-key": _as_it_is,
    "session": _as_it_is,
    "identity-key": _as_it_is,
    "sender-key-memory": _as_it_is,
    "sender-key": _sender_key,
    "app-state-sync-key": _base64,
    "app-state-sync-version": _as_it_is,
    "lid-mapping": _as_it_is,
    "device-list": _as_it_is,
    "tctoken": _as_it_is,
    "arrived": _as_it_is,
}
"""By type, the longer of two that begin alike first.  ``arrived`` is our own: which messages the bridge has told of."""

TYPES: Final = tuple(_READERS)
"""What Baileys keeps beside its credentials (SignalDataTypeMap), and what the bridge adds."""


def file_name(key: str) -> str:
    """The file of one of the vault's keys: ``session/1555_1.0`` is in ``session-1555_1.0.json``."""
    return key.replace("/", "-", 1).replace("/", "__").replace(":", "-") + SUFFIX


def key_of(name: str) -> str:
    """The vault's key of a file.  Raises UnknownFile."""
    stem = name.removesuffix(SUFFIX)
    if stem == name:
        raise UnknownFile(f"{name} does not end with {SUFFIX}")
    if stem == CREDS:
        return CREDS
    for kind, read in _READERS.items():
        if stem.startswith(f"{kind}-") and len(stem) > len(kind) + 1:
            return f"{kind}/{read(stem[len(kind) + 1 :])}"
    raise UnknownFile(f"{name} is neither {CREDS}{SUFFIX} nor of a type that is known: {', '.join(TYPES)}")


def is_key(key: str) -> bool:
    """Whether the vault's connector keeps entries under such keys."""
    kind, separator, id = key.partition("/")
    return key == CREDS or (kind in _READERS and bool(separator) and bool(id))
