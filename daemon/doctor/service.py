"""The daemon itself: configuration, key, whether it answers, what it listens on.  Pure."""

import re
from pathlib import Path

from config.loader import Loaded
from config.paths import LONGEST_SOCKET_PATH
from daemon.doctor.finding import Finding, fail, ok, warn

LONGEST_SOCKET_NAME = "shard-9999.connector.sock"
_VERSION = re.compile(r'^wavigil_build_info\{[^}]*version="([^"]*)"', re.MULTILINE)
_RELOADED = re.compile(r"^wavigil_config_last_reload_success_timestamp_seconds ([0-9.e+]+)$", re.MULTILINE)
_RELOAD_WORKED = re.compile(r"^wavigil_config_last_reload_successful ([01])", re.MULTILINE)
HOUR = 3600


def configuration(loaded: Loaded, sessions: int) -> Finding:
    """It was read: it is valid."""
    where = "no file; all defaults" if loaded.source is None else str(loaded.source)
    return ok("config", f"{where}, valid; {sessions} sessions with those of the API")


def socket_path(runtime_dir: Path) -> Finding:
    """Unix sockets have short paths."""
    length = len(bytes(runtime_dir / LONGEST_SOCKET_NAME))
    what = f"the longest socket path has {length} bytes of {LONGEST_SOCKET_PATH}"
    if length > LONGEST_SOCKET_PATH:
        return fail("sockets", what, "set runtime_dir to a shorter path, such as /run/wavigil")
    return ok("sockets", what)


def daemon(main: int | None, ready: str | None, metrics: str | None, installed: str, start: str) -> Finding:
    """``ready`` is what keeps it from being ready ("" if nothing), None if it does not answer; ``start`` starts it."""
    if ready is None:
        if main is None:
            return warn("daemon", "is not running", f"start it: {start}, or systemctl start wavigil")
        what = f"pid {main} holds the state directory but does not answer"
        return fail("daemon", what, f"wait a minute if it was just started; look at its log; else kill -9 {main}")
    if ready:
        return fail("daemon", f"answers, but is not ready: {ready}", "look at its log, and at wavigil tree, for why")
    found = _VERSION.search(metrics or "")
    running = found[1] if found else "unknown"
    if found and running != installed:
        what = f"version {running} is running, version {installed} is installed"
        return warn("daemon", what, "restart it to make the upgrade complete")
    return ok("daemon", f"version {running} runs and is ready" + ("" if main is None else f", pid {main}"))


def reload(metrics: str | None, now: float) -> Finding | None:
    """Of the configuration; None if the daemon does not tell."""
    at, worked = _RELOADED.search(metrics or ""), _RELOAD_WORKED.search(metrics or "")
    if at is None:
        return None
    what = f"the configuration in effect was taken over {max(0.0, now - float(at[1])) / HOUR:.1f} h ago"
    if worked is not None and worked[1] == "0":
        return warn("reload", f"{what}; a later one was refused", "wavigil check-config says why; mend it, reload")
    return ok("reload", what)


def ports(found: set[str], unseen: int, allowed: str | None) -> Finding:
    """``found`` listens off loopback; ``allowed`` is what ``http.listen`` says, if that is off loopback."""
    wrong = sorted(address for address in found if allowed is None or address != allowed)
    if wrong:
        return fail(
            "ports",
            f"processes of wavigil listen off loopback: {', '.join(wrong)}",
            "only http.listen may; close these in the firewall and report them: wavigil support-bundle",
        )
    if unseen:
        return warn("ports", f"{unseen} processes may not be looked at", "run this as the daemon's user or as root")
    return ok("ports", "nothing listens off loopback" + (f" but http.listen, {allowed}" if allowed else ""))
