"""Start and stop of the daemon in the audit log, and whether a start was an operator's or a service manager's."""

import logging
import os
import time
from importlib.metadata import version

from actors.store.audit_queries import AuditFilter
from actors.store.errors import StoreError
from actors.store.records import AuditEntry
from daemon.accounts import LiveAccounts
from daemon.audit.deeds import AUTOMATIC, DAEMON, MANUAL

log = logging.getLogger(__name__)

START, STOP = "daemon.start", "daemon.stop"
RESTART = "restart_daemon"


async def began(accounts: LiveAccounts) -> None:
    """The daemon serves.  Raises StoreError, BackendError.

    A start after a stop is an operator's restart; one after a life that ended without a stop is automatic.
    """
    before = await accounts.trail.page(AuditFilter(who=DAEMON, action="daemon"), 1, None)
    last = before[0][1].action if before else None
    origin = {None: None, STOP: MANUAL}.get(last, AUTOMATIC)
    counts = {(origin, RESTART): 1} if origin is not None else {}
    detail = {"version": version("wavigil"), "pid": os.getpid(), "after": last}
    await accounts.trail.record(AuditEntry(time.time(), DAEMON, START, "-", detail), counts)


async def ended(accounts: LiveAccounts, why: str) -> None:
    """The daemon is about to end."""
    try:
        await accounts.trail.record(AuditEntry(time.time(), DAEMON, STOP, "-", {"why": why, "pid": os.getpid()}))
    except StoreError as error:
        log.error("the stop is not in the audit log: %s", error)
