"""What a row of the table of causes says."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from actors.session.vocabulary import Disposition, State

PAIR_AGAIN = "Pair the device again: `wavigil pair ID`."
HEALS = "None: it reconnects by itself."


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    name: str
    """Stable and machine-readable: events, metrics and the API use it."""
    codes: tuple[int, ...]
    """Status codes that mean this by themselves; empty where the connector's reason tells."""
    disposition: Disposition
    sentence: str
    """What happened, for humans."""
    remedy: str
    """What the operator can do."""
    is_blocked: bool = False
    """WhatsApp blocks the account."""
    needs_pairing: bool = False
    """The auth state is worthless: it must never be used for a login again."""
    state: State | None = None
    """The state, where it is not the disposition's."""


class NamedRow(StrEnum):
    """Names of rows, each with its row.  The table derives from it and holds nothing but rows."""

    row: Row

    def __new__(cls, row: Row) -> Self:
        """A member is text, so that it goes into JSON and databases as its name."""
        member = str.__new__(cls, row.name)
        member._value_ = row.name
        member.row = row
        return member

    @property
    def codes(self) -> tuple[int, ...]:
        """Status codes that mean this by themselves."""
        return self.row.codes

    @property
    def disposition(self) -> Disposition:
        """What is done about it."""
        return self.row.disposition

    @property
    def sentence(self) -> str:
        """What happened, for humans."""
        return self.row.sentence

    @property
    def remedy(self) -> str:
        """What the operator can do."""
        return self.row.remedy

    @property
    def is_blocked(self) -> bool:
        """WhatsApp blocks the account."""
        return self.row.is_blocked

    @property
    def needs_pairing(self) -> bool:
        """The auth state is worthless: it must never be used for a login again."""
        return self.row.needs_pairing

    @property
    def state(self) -> State:
        """The state that it leads to (few tries: until they are used up)."""
        return self.row.state or self.disposition.state
