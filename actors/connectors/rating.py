"""How a platform rates the number of an account: what a connector with the capability ``quality`` tells.

WhatsApp's Business Platform does, by what recipients make of its messages in the last days: GREEN, YELLOW, RED, and NA
or UNKNOWN while it has not made up its mind (field ``quality_rating`` of a phone number in the Graph API).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from actors.connectors.fields import BadField, Fields

QUALITY = "quality"
"""The capability to tell it."""


class Rating(StrEnum):
    """What the platform says of a number, best first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"
    """It has no rating, or one that has no place here."""


@dataclass(frozen=True, slots=True)
class Rated:
    """A rating as it stands in a session's state."""

    rating: Rating
    at: int
    """When the platform said so: milliseconds since 1970."""

    def to_wire(self) -> dict[str, Any]:
        """The map of the protocol."""
        return {"rating": str(self.rating), "at": self.at}

    @classmethod
    def read(cls, fields: Fields) -> "Rated":
        """Raises BadField."""
        return cls(read_rating(fields, "rating"), fields.milliseconds("at"))


def read_rating(fields: Fields, key: str) -> Rating:
    """The rating under a key.  Raises BadField for a name that is not one."""
    name = fields.text(key)
    try:
        return Rating(name)
    except ValueError:
        raise BadField(fields.path(key), f"not a rating: {name!r}; expected one of {', '.join(Rating)}") from None
