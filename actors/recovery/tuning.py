"""Recovery's part of the configuration, as its decisions take it.  Pure."""

from actors.recovery.budgets import Budgets
from actors.recovery.plans import Policy
from actors.recovery.strategies import Strategy
from config.schema_actors import Recovery


def budgets(section: Recovery) -> Budgets:
    """The configured budgets."""
    own = section.budgets
    deeds = {Strategy.RECONNECT: own.reconnect, Strategy.RESTART: own.restart, Strategy.FAILOVER: own.failover}
    return Budgets(deeds, own.logins)


def policy(section: Recovery) -> Policy:
    """The configured policy, by which recovery plans, and each session for itself."""
    return Policy(base_s=section.backoff.min, cap_s=section.backoff.max)
