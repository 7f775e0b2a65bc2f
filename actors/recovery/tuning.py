"""Recovery's part of the configuration, as its decisions take it.  Pure."""

from actors.recovery.budgets import Budgets
from actors.recovery.strategies import Strategy
from config.schema_actors import Recovery


def budgets(section: Recovery) -> Budgets:
    """The configured budgets."""
    own = section.budgets
    deeds = {Strategy.RECONNECT: own.reconnect, Strategy.RESTART: own.restart, Strategy.FAILOVER: own.failover}
    return Budgets(deeds, own.logins)
