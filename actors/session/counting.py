"""How the attempts of a session are counted: whoever plans one, or tells of it, has the number from here."""

from actors.recovery.plans import AT_ONCE_WINDOW_S
from actors.session.causes_table import Cause
from actors.session.state import Saved, SessionState
from actors.session.vocabulary import Disposition


def next_number(s: SessionState | Saved, cause: Cause, now: float) -> int:
    """The number, as ``plan`` counts it, of the attempt after a connection that ends for ``cause`` at ``now``."""
    if cause.disposition is Disposition.AT_ONCE:
        return 1 + sum(now - at < AT_ONCE_WINDOW_S for at in s.restarts)
    if cause.disposition is Disposition.FEW_TRIES:
        return s.refusals + 1
    return s.attempt + 1
