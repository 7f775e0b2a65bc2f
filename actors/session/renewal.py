"""Main has put another auth state in the place of a stopped session's: what was held against the one before is void.

Main tells the session's actor (``AuthTaken``).  If it dies first, the actor hears of it from the vault, with its next
generation: else it would delete the new auth state in place of one that WhatsApp threw out.
"""

from actors.session.causes import Cause
from actors.session.draft import Draft
from actors.session.state import Trouble
from actors.session.vocabulary import State


def renew(d: Draft) -> None:
    """Begin anew, and have that stored if the session is stopped; else what it does next is."""
    d.forget_failures()
    d.set(verdict=None, stale_auth=False, me=None)
    if d.s.state is State.STOPPED:
        d.move(State.STOPPED, Trouble(Cause.OPERATOR_STOP))


def found(d: Draft, replaced: int) -> bool:
    """Whether something was held against an auth state that was replaced since, under the generation ``replaced``."""
    if replaced <= d.s.replaced:
        return False
    held = d.s.verdict is not None or d.s.stale_auth
    d.set(replaced=replaced)
    if held:
        renew(d)
    return held
