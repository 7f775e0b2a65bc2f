"""What can be told from a Baileys auth state: whether it is whole, whose it is, which of two is older.  Pure.

Entries are the vault's: key to the JSON text that ``BufferJSON`` of Baileys makes.  Sentences name files as a
multi-file auth folder has them, never what is in them.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from actors.connectors.baileys.multifile import CREDS, file_name, is_key
from actors.connectors.baileys.packing import BadPacked, fits, unpack
from actors.vault.requests import MAX_KEY, MAX_VALUE

Entries = Mapping[str, bytes]

_COUNTERS: Final = ("nextPreKeyId", "firstUnuploadedPreKeyId", "accountSyncCounter")
"""Numbers of the credentials that only grow."""
_STANDING: Final = frozenset({"session", "sender-key", "app-state-sync-key", "app-state-sync-version"})
"""Types that come and hardly ever go."""
_KEY_BYTES: Final = 32


class BadAuthState(Exception):
    """It can't be used; ``key`` is the entry that is to blame."""

    def __init__(self, key: str, what: str, remedy: str) -> None:
        super().__init__(f"{file_name(key)} {what}")
        self.key = key
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Device:
    """Which linked device an auth state is; another pairing makes another one."""

    identity: bytes
    """Its public identity key."""
    registration: int


_LOST_CREDS: Final = "without its credentials a device is lost: take a copy of the folder that has them, or pair anew"
_LOST_KEY: Final = (
    "take a copy of the folder that has it whole; or delete the file, if it may be lost: "
    "messages under way to that contact may then be unreadable until it has been written to"
)
_APP_STATE: Final = "app-state-sync-version/"
_LOST_STATE: Final = "delete the file: it is a copy of what the server has, and is made anew from that"


def unpacked(stored: Entries) -> dict[str, bytes]:
    """What the vault has, as Baileys wrote it.  Raises BadAuthState for what can't be unfolded."""
    texts = {}
    for key, value in stored.items():
        try:
            texts[key] = unpack(value)
        except BadPacked as error:
            raise BadAuthState(key, f"is broken: {error}", _LOST_KEY) from None
    return texts


def read_device(entries: Entries) -> Device:
    """The device that the credentials are of.  Raises BadAuthState if they can't be used."""
    if CREDS not in entries:
        raise BadAuthState(CREDS, "is missing", _LOST_CREDS)
    return _device(_json(CREDS, entries[CREDS]))


def check(entries: Entries) -> Device:
    """The device, every entry checked.  Raises BadAuthState for the first one that can't be used."""
    device = read_device(entries)
    for key, text in entries.items():
        if not is_key(key):
            raise BadAuthState(key, "is of no known type", "leave it out, or use a newer wavigil")
        if len(key.encode()) > MAX_KEY or not fits(text):
            what = f"is larger than the vault takes ({MAX_VALUE} bytes, compressed)"
            raise BadAuthState(key, what, _LOST_STATE if key.startswith(_APP_STATE) else _LOST_KEY)
        if key != CREDS:
            _json(key, text)
    return device


def _json(key: str, text: bytes) -> Any:
    remedy = _LOST_CREDS if key == CREDS else _LOST_KEY
    if not text:
        raise BadAuthState(key, "is empty (0 bytes), as a crash amid writing leaves it", remedy)
    try:
        return json.loads(text.decode())
    except (ValueError, RecursionError):  # the message of a JSON error would quote it
        raise BadAuthState(key, "is broken: it is no JSON text", remedy) from None


def _device(creds: Any) -> Device:
    if not isinstance(creds, dict):
        raise BadAuthState(CREDS, "is broken: it holds no credentials", _LOST_CREDS)
    for name in ("noiseKey", "signedIdentityKey"):
        for half in ("private", "public"):
            if len(_buffer(creds, name, half)) != _KEY_BYTES:
                raise BadAuthState(CREDS, f"is broken: {name}.{half} is no key of 32 bytes", _LOST_CREDS)
    _buffer(creds, "signedPreKey", "signature")
    registration = creds.get("registrationId")
    if type(registration) is not int:
        raise BadAuthState(CREDS, "is broken: registrationId is no number", _LOST_CREDS)
    me = creds.get("me")
    if not creds.get("account") or not isinstance(me, dict) or not isinstance(me.get("id"), str):
        what = "is of a device that was never paired, or whose pairing was broken off"
        raise BadAuthState(CREDS, what, "pair the session instead: wavigil pair ID")
    return Device(_buffer(creds, "signedIdentityKey", "public"), registration)


def _buffer(creds: Mapping[str, Any], name: str, part: str) -> bytes:
    try:
        found = creds[name][part]
        if found["type"] != "Buffer":
            raise ValueError(name)
        return base64.b64decode(found["data"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise BadAuthState(CREDS, f"is broken: {name}.{part} is missing or no key", _LOST_CREDS) from None


def why_older(offered: Entries, present: Entries) -> str | None:
    """What shows that ``offered`` is older than ``present`` in part or whole, or None.  Both are of one device.

    Older keys over newer ones break encryption with every contact that was written to meanwhile.
    """
    if (sign := next(_signs(offered, present), None)) is not None:
        return sign
    missing = [key for key in present if key not in offered and key.partition("/")[0] in _STANDING]
    # A later state may have dropped one of them; then something else in it has moved on, too.
    if missing and next(_signs(present, offered), None) is None:
        return f"{len(missing)} of the keys for contacts, groups and settings that the vault has are not in it"
    return None


def _signs(offered: Entries, present: Entries) -> Iterator[str]:
    mine, theirs = _values(offered), _values(present)
    old, new = mine.get(CREDS, {}), theirs.get(CREDS, {})
    for name in _COUNTERS:
        if _number(old, name) < _number(new, name):
            yield f"{name} of its credentials is {_number(old, name)}, the vault has {_number(new, name)}"
    used = [key for key in mine if _is_used_up(key, present, _number(new, "nextPreKeyId"))]
    if used:
        yield f"{len(used)} of its pre-keys have been used since"
    behind = [key for key, value in mine.items() if key in theirs and _is_behind(key, value, theirs[key])]
    if behind:
        yield f"{len(behind)} of its keys for contacts, groups and settings have moved on in the vault since"


def _values(entries: Entries) -> dict[str, Any]:
    """What can be compared; what can't be read says nothing."""
    found = {}
    for key, text in entries.items():
        try:
            found[key] = json.loads(text)
        except (ValueError, RecursionError):
            continue
    return {key: value for key, value in found.items() if isinstance(value, dict)}


def _number(value: Any, *path: str) -> float:
    """A number at a place, -1 if there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else -1


def _is_used_up(key: str, present: Entries, next_id: float) -> bool:
    kind, _, id = key.partition("/")
    return kind == "pre-key" and key not in present and id.isdecimal() and int(id) < next_id


def _is_behind(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    kind = key.partition("/")[0]
    if kind == "session":
        return _session_age(old) < _session_age(new) or (
            _session_age(old) == _session_age(new) and _is_chain_behind(_chains(old), _chains(new))
        )
    if kind == "sender-key":
        return _is_chain_behind(_iterations(old), _iterations(new))
    return kind == "app-state-sync-version" and _number(old, "version") < _number(new, "version")


def _is_chain_behind(old: Mapping[str, float], new: Mapping[str, float]) -> bool:
    return any(count < new[chain] for chain, count in old.items() if chain in new)


def _sessions(record: Mapping[str, Any]) -> Mapping[str, Any]:
    found = record.get("_sessions")
    return found if isinstance(found, dict) else {}


def _session_age(record: Mapping[str, Any]) -> float:
    """When it last received, in milliseconds since 1970 (libsignal's SessionRecord, ``indexInfo.used``)."""
    return max((_number(session, "indexInfo", "used") for session in _sessions(record).values()), default=-1)


def _chains(record: Mapping[str, Any]) -> dict[str, float]:
    """Each chain's counter: a sending chain grows with every message."""
    found = {}
    for session in _sessions(record).values():
        chains = session.get("_chains") if isinstance(session, dict) else None
        for name, chain in (chains if isinstance(chains, dict) else {}).items():
            found[name] = _number(chain, "chainKey", "counter")
    return found


def _iterations(record: Mapping[str, Any]) -> dict[str, float]:
    """Each chain's iteration of a group's sender key, which is JSON in a buffer (Baileys' SenderKeyRecord)."""
    try:
        states = json.loads(base64.b64decode(record["data"]))
        return {str(state["senderKeyId"]): _number(state, "senderChainKey", "iteration") for state in states}
    except (KeyError, TypeError, ValueError):
        return {}
