"""Are auth states sealed, and is a rotation of the master key done?"""

import sqlite3
import time
from pathlib import Path

from actors.store.inspect import vault_rotation
from daemon.doctor.finding import Finding, ok, warn

HOUR = 3600


def master_key(configured: bool) -> Finding:
    """Are auth states sealed?  Pure."""
    if configured:
        return ok("vault-key", "auth states are sealed with the configured master key")
    return warn(
        "vault-key",
        "no vault.master_key: auth states lie plain in vault.db",
        "openssl rand -hex 32 into a file, vault.master_key: file:/that/file, keep a copy elsewhere, restart",
    )


def rotation(began: float | None, now: float, previous: int, running: bool) -> Finding | None:
    """``began`` is when an unfinished rotation did, ``previous`` the number of old keys that are configured.  Pure."""
    if began is not None:
        what = f"a rotation of the master key that began {max(0.0, now - began) / HOUR:.1f} h ago is unfinished"
        if running:
            return warn("vault-rotation", what, "follow it: wavigil vault rotate; keep vault.previous_keys until then")
        return warn("vault-rotation", what, "start wavigil, which goes on with it; keep vault.previous_keys until then")
    if previous:
        what = "no rotation is under way, and vault.previous_keys still has a key that nothing is sealed with"
        return warn("vault-rotation", what, "take it out of the configuration, wavigil reload, and destroy it")
    return None


def examine(path: Path, configured: bool, previous: int, *, running: bool) -> list[Finding]:
    """All of it; ``path`` is vault.db, which may not be there."""
    found = [master_key(configured)]
    try:
        began = vault_rotation(path)
    except sqlite3.Error:
        return found  # databases says it
    unfinished = rotation(began, time.time(), previous, running)
    return found if unfinished is None else [*found, unfinished]
