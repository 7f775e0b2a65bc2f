"""What a row of the table of causes says."""

from dataclasses import dataclass

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
