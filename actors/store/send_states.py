"""The states of a send, and what may follow what.  Pure.

``queued`` -> ``sent-unconfirmed`` (perhaps on the wire) -> ``acknowledged`` (WhatsApp's server has it) -> ``delivered``
(the recipient's device has it) -> ``read``; or ``failed``, with a code.  Steps may be left out: an acknowledgement gets
lost where a receipt does not.
"""

from collections.abc import Mapping
from typing import Final

QUEUED: Final = "queued"
UNCONFIRMED: Final = "sent-unconfirmed"
FAILED: Final = "failed"
ARRIVED: Final = ("acknowledged", "delivered", "read")
"""Proofs that WhatsApp has the message, the weakest first."""
UNFINISHED: Final = frozenset({QUEUED, UNCONFIRMED})
"""States in which wavigil still has to do something about a send."""
SETTLED: Final = frozenset({FAILED, *ARRIVED})

_RANK: Final[Mapping[str, int]] = {s: rank for rank, s in enumerate((QUEUED, UNCONFIRMED, FAILED, *ARRIVED))}
_BY_RECEIPT: Final = {"delivered": "delivered", "read": "read", "played": "read"}


def advances(old: str | None, new: str) -> bool:
    """Whether a send in state ``old`` (None: unknown until now) may go to ``new``.

    Receipts come late and in any order, so a state never goes back; a send that was given up as failed can
    still turn out to have arrived.  ``sent-unconfirmed`` may be repeated: another attempt under the same
    message id.
    """
    if old is None:
        return True
    if old == new:
        return old == UNCONFIRMED
    return _RANK[new] > _RANK[old]


def by_receipt(type: str) -> str | None:
    """The state that a receipt of that type proves; None for one that tells nothing of the recipient."""
    return _BY_RECEIPT.get(type)


def reached(old: str | None, new: str) -> tuple[str, ...]:
    """The outcomes that a step from ``old`` to ``new`` adds, each once in the life of a send.

    A proof includes the weaker ones: what is read was delivered, whether or not that was ever told.
    """
    if new == FAILED:
        return (FAILED,)
    if new not in ARRIVED:
        return ()
    known = ARRIVED.index(old) + 1 if old in ARRIVED else 0
    return ARRIVED[known : ARRIVED.index(new) + 1]
