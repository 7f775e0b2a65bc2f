"""The auth state of a simulated session: small, but committed, loaded and asked for at each login like a real one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

import msgpack

from actors.connectors.fields import BadField, Fields
from actors.connectors.simulator.world import token_of

CREDS = "creds"
_PRE_KEYS = 5
_RATCHET_BYTES = 1728
"""A message's keys come to about 1,750 bytes with the real client."""


class BadCredentials(Exception):
    """What is stored as credentials can't be read."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a device shows at its login."""

    phone: str
    device: int
    token: bytes
    logins: int = 0

    @classmethod
    def made(cls, seed: int, session: str, phone: str, device: int) -> "Credentials":
        """Those of a new pairing."""
        return cls(phone, device, token_of(seed, session, device))

    @classmethod
    def read(cls, entries: Mapping[str, bytes]) -> "Credentials | None":
        """Those in an auth state; None if it has none.  Raises BadCredentials."""
        if CREDS not in entries:
            return None
        try:
            fields = Fields(msgpack.unpackb(entries[CREDS]))
            token = fields.get("token")
            if not isinstance(token, bytes):
                raise BadCredentials
            return cls(fields.text("phone"), fields.integer("device"), token, fields.integer("logins"))
        except (BadField, ValueError, msgpack.UnpackException) as error:
            raise BadCredentials from error

    def accepted(self, seed: int, session: str) -> bool:
        """Whether the server knows this device."""
        return self.token == token_of(seed, session, self.device)

    def used(self) -> "Credentials":
        """The credentials after one more login."""
        return replace(self, logins=self.logins + 1)

    @property
    def me(self) -> str:
        """The JID of the device."""
        return f"{self.phone}:{self.device}@s.whatsapp.net"

    def to_entries(self) -> dict[str, bytes]:
        """What changes at a login."""
        values = {"phone": self.phone, "device": self.device, "token": self.token, "logins": self.logins}
        return {CREDS: msgpack.packb(values)}

    def to_first_entries(self) -> dict[str, bytes]:
        """What a pairing commits: credentials and pre-keys."""
        keys = {f"pre-key-{number}": _filler(f"{self.me}/{number}", 64) for number in range(1, _PRE_KEYS + 1)}
        return self.to_entries() | keys


def ratchet(peer: str, number: int) -> dict[str, bytes]:
    """The keys that change with message ``number`` to or from ``peer``."""
    return {f"session-{peer}": _filler(f"{peer}/{number}", _RATCHET_BYTES)}


def _filler(text: str, length: int) -> bytes:
    block = blake2b(text.encode(), digest_size=64).digest()
    return (block * (length // 64 + 1))[:length]
