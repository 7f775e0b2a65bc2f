"""Answers of a connector to a session's commands; the protocol is described in ``docs/connector-protocol.md``."""

from dataclasses import dataclass
from typing import Any, Self

from actors.connectors.fields import Fields


@dataclass(frozen=True, slots=True)
class PairingCode:
    """The answer to ``pairing_code``."""

    code: str
    expires_at: int
    """Milliseconds since 1970."""

    @classmethod
    def read(cls, values: Any) -> Self:
        """Raises BadField."""
        fields = Fields(values, "answer")
        return cls(fields.text("code"), fields.milliseconds("expiresAt"))
