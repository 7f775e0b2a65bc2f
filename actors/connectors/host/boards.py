"""Which board a host has: that of the fleet, or one of its own."""

import logging

from actors.admission.ledger import Ledger, ledger_path
from actors.settings import Settings

log = logging.getLogger(__name__)


def fleet_board(settings: Settings, connector: str) -> Ledger:
    """The board of the fleet.  Raises OSError: there is no room for it."""
    return Ledger(ledger_path(settings.runtime_dir, connector))


def board_of(settings: Settings, connector: str) -> Ledger:
    """The board of the fleet; if there is no room for it, one of this host's own, which has but its share to give."""
    try:
        return fleet_board(settings, connector)
    except OSError as error:
        log.error("the admission board can't be used, the bound on connects is kept by fixed shares: %s", error)
        return Ledger()
