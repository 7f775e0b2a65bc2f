"""Families about the configuration.  Pure."""

from daemon.configuration import ConfigStatus
from daemon.metrics.table import general as table
from daemon.metrics.text import family, number, prefix


def render(status: ConfigStatus) -> str:
    """Which file is in effect, and whether a reload or a restart is due."""
    values = {
        table.CONFIG_LAST_RELOAD_SUCCESSFUL: float(status.successful),
        table.CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP: status.at,
        table.CONFIG_RESTART_NEEDED: float(status.restart_needed),
    }
    info = family(table.CONFIG_INFO, [prefix(table.CONFIG_INFO, (status.digest,)) + "1"])
    return info + "".join(family(metric, [prefix(metric, ()) + number(value)]) for metric, value in values.items())
